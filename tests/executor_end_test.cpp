// SPDX-License-Identifier: MIT
// terminate_workers() and kill_workers() of executors.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <vector>

#include "procpool/executor.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace executor_end_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> running{0};
    std::atomic<int> cleaned_up{0};
};
test::shared<board> seen;

int stays(bool ignores) {
    static bool notes = false;
    notes = !ignores;
    std::signal(SIGTERM, [](int) {
        if (!notes) return;
        ++seen->cleaned_up;
        ::_exit(0);
    });
    ++seen->running;
    for (;;) ::pause();
}

class ExecutorEnd : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }

    /// One task runs in each worker, and others wait.
    void fill(mp::ProcessPoolExecutor& executor, bool ignores) {
        for (int i = 0; i < 6; ++i) futures.push_back(executor.submit(stays, ignores));
        ASSERT_TRUE(test::eventually([] { return seen->running == 2; }));
    }
    void expect_ends() {
        int cancelled = 0;
        int terminated = 0;
        for (auto& one : futures) {
            ASSERT_TRUE(one.wait(test::patience));
            try {
                one.result();
            } catch (const mp::TaskCancelled&) {
                ++cancelled;
            } catch (const mp::PoolTerminated&) {
                ++terminated;
            }
        }
        EXPECT_EQ(cancelled, 4);
        EXPECT_EQ(terminated, 2);
    }
    std::vector<mp::Future<int>> futures;
};

TEST_F(ExecutorEnd, terminate_workers_lets_them_clean_up) {
    mp::ProcessPoolExecutor executor(mp::PoolOptions{.processes = 2, .terminate_grace = 60s});
    fill(executor, false);
    executor.terminate_workers();
    EXPECT_EQ(seen->cleaned_up, 2);
    expect_ends();
    EXPECT_THROW((void)executor.submit(stays, false), mp::PoolNotRunning);
}

TEST_F(ExecutorEnd, terminate_workers_kills_those_that_stay) {
    mp::ProcessPoolExecutor executor(mp::PoolOptions{.processes = 2, .terminate_grace = 20ms});
    fill(executor, true);
    executor.terminate_workers();
    EXPECT_EQ(seen->cleaned_up, 0);
    expect_ends();
}

TEST_F(ExecutorEnd, kill_workers_gives_them_no_time) {
    mp::ProcessPoolExecutor executor(mp::PoolOptions{.processes = 2, .terminate_grace = 60s});
    fill(executor, false);
    executor.kill_workers();
    EXPECT_EQ(seen->cleaned_up, 0);
    expect_ends();
    EXPECT_THROW((void)executor.submit(stays, false), mp::PoolNotRunning);
}

TEST_F(ExecutorEnd, may_be_called_again_and_with_nothing_to_do) {
    mp::ProcessPoolExecutor executor(2);
    executor.terminate_workers();
    executor.terminate_workers();
    executor.kill_workers();
    executor.shutdown();
}

TEST_F(ExecutorEnd, may_be_called_by_a_callback) {
    mp::ProcessPoolExecutor executor(2);
    auto first = executor.submit([] { return 1; });
    std::atomic<bool> ended{false};
    first.add_done_callback([&](const auto&) {
        executor.terminate_workers();
        ended = true;
    });
    EXPECT_TRUE(test::eventually([&] { return ended.load(); }));
    EXPECT_EQ(first.result(), 1);
}

TEST_F(ExecutorEnd, ends_workers_whose_initializer_never_returns) {
    mp::ProcessPoolExecutor executor(mp::PoolOptions{.processes = 1, .terminate_grace = 20ms}, [] {
        for (;;) ::pause();
    });
    auto waiting = executor.submit([] { return 1; });
    executor.terminate_workers();
    EXPECT_ANY_THROW(waiting.result());
}

template <class Executor>
concept ends_workers = requires(Executor& executor) { executor.terminate_workers(); };
static_assert(ends_workers<mp::ProcessPoolExecutor>);
static_assert(!ends_workers<mp::ThreadPoolExecutor>, "threads can't be ended, nor has Python's this");

}  // namespace executor_end_test
