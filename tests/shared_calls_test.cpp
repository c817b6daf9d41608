// SPDX-License-Identifier: MIT
// Calls that share a job though they have captures or options, or are futures: to their callers each is
// alone.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/as_completed.hpp"
#include "procpool/executor.hpp"
#include "procpool/pool.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace shared_calls_test {

namespace mp = procpool;
using namespace std::chrono_literals;

constexpr int some = 40;
/// One of them that has others before and behind it.
constexpr int midst = 25;

struct shared_state {
    std::atomic<int> begun{0};
    std::atomic<int> tries{0};
    test::gate gate;
};
test::shared<shared_state> state;

int twice(int i) { return 2 * i; }
int count(int i) {
    ++state->begun;
    return i;
}
int waits_at_0(int i) {
    if (i == 0) state->gate.pass();
    return count(i);
}
int dies_in_midst(int i) {
    if (i == midst) ::raise(SIGKILL);
    return i;
}
int dies_once_in_midst(int i) {
    if (i == midst && state->tries.fetch_add(1) == 0) ::raise(SIGKILL);
    return i;
}
int hangs_in_midst(int i) {
    while (i == midst) ::pause();
    return i;
}
int throws_in_midst(int i) {
    if (i == midst) throw std::domain_error("this one");
    return i;
}

class SharedCalls : public testing::Test {
protected:
    SharedCalls() { state.reset(); }
};

// ---- captures

TEST_F(SharedCalls, of_one_lambda_have_results_side_by_side) {
    mp::Pool pool(2);
    const auto calls = [&](int number) {
        std::vector<mp::AsyncResult<int>> all;
        for (int i = 0; i < some; ++i)
            all.push_back(pool.apply_async([number, by = .5](int x) { return x + int(by * number); }, i));
        return all;
    };
    // Not in each round: somebody else may drive at any moment.
    EXPECT_TRUE(test::eventually([&] {
        auto all = calls(6);
        return &all[some - 2].get() + 1 == &all[some - 1].get() && all[5].get() == 8;
    }));
}

TEST_F(SharedCalls, have_each_its_own_captures) {
    mp::Pool pool(2);
    std::vector<mp::AsyncResult<int>> all;
    for (int round = 0; round < 20; ++round)
        for (int i = 0; i < some; ++i)
            all.push_back(pool.apply_async([round, i](int x) { return 10000 * round + 100 * i + x; }, 7));
    for (int round = 0; round < 20; ++round)
        for (int i = 0; i < some; ++i)
            all.push_back(pool.apply_async([round](int x) { return 10000 * round + x; }, i));
    for (int i = 0; i < 20 * some; ++i) {
        const auto at = static_cast<std::size_t>(i);
        ASSERT_EQ(all[at].get(), 10000 * (i / some) + 100 * (i % some) + 7);
        ASSERT_EQ(all[at + 20 * some].get(), 10000 * (i / some) + i % some);
    }
}

/// It can be called as const and changes all the same.
struct counter {
    mutable int calls = 0;
    int operator()(int) const { return ++calls; }
};

TEST_F(SharedCalls, do_not_see_what_others_did_to_their_callable) {
    mp::Pool pool(1);
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < some; ++i) all.push_back(pool.apply_async(counter{}, i));
    for (auto& one : all) EXPECT_EQ(one.get(), 1);
}

TEST_F(SharedCalls, refuse_a_captured_pointer_each_time) {
    static const int here = 1;
    mp::Pool pool(1);
    for (int i = 0; i < some; ++i)
        EXPECT_THROW((void)pool.apply_async([at = &here](int x) { return *at + x; }, i),
                     mp::SerializationError);
    EXPECT_EQ(pool.apply(twice, 2), 4);
}

TEST_F(SharedCalls, hold_functions) {
    mp::Pool pool(2);
    using function = int(int);
    function* const functions[] = {twice, count};
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < 4 * some; ++i)
        all.push_back(pool.apply_async([f = functions[i / some % 2], i] { return f(i); }));
    for (int i = 0; i < 4 * some; ++i)
        EXPECT_EQ(all[static_cast<std::size_t>(i)].get(), i / some % 2 == 0 ? 2 * i : i);
}

// ---- options

TEST_F(SharedCalls, with_options_have_results_side_by_side) {
    mp::Pool pool(2);
    EXPECT_TRUE(test::eventually([&] {
        std::vector<mp::AsyncResult<int>> all;
        for (int i = 0; i < some; ++i) all.push_back(pool.apply_async({.timeout = 1h}, twice, i));
        return &all[some - 2].get() + 1 == &all[some - 1].get();
    }));
}

TEST_F(SharedCalls, one_that_takes_too_long_is_ended_and_others_are_not) {
    mp::Pool pool(2);
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < some; ++i) all.push_back(pool.apply_async({.timeout = 200ms}, hangs_in_midst, i));
    for (int i = 0; i < some; ++i) {
        auto& one = all[static_cast<std::size_t>(i)];
        if (i == midst)
            EXPECT_THROW(one.get(), mp::TaskTimeout);
        else
            EXPECT_EQ(one.get(), i);
    }
}

TEST_F(SharedCalls, one_whose_worker_dies_is_tried_again_if_its_options_say_so) {
    mp::Pool pool(2);
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < some; ++i) all.push_back(pool.apply_async({.retries = 1}, dies_once_in_midst, i));
    for (int i = 0; i < some; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)].get(), i);
    EXPECT_EQ(state->tries.load(), 2);
}

TEST_F(SharedCalls, with_different_options_keep_their_own) {
    mp::Pool pool(1);
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < some; ++i) all.push_back(pool.apply_async({.retries = 2}, twice, i));
    for (int i = 0; i < some; ++i) all.push_back(pool.apply_async(dies_in_midst, i));
    for (int i = 0; i < some; ++i) all.push_back(pool.apply_async({.retries = 1}, dies_once_in_midst, i));
    for (int i = 0; i < 3 * some; ++i) {
        auto& one = all[static_cast<std::size_t>(i)];
        if (i == some + midst)
            EXPECT_THROW(one.get(), mp::WorkerDied);
        else
            EXPECT_EQ(one.get(), i < some ? 2 * i : i % some);
    }
}

TEST_F(SharedCalls, with_options_that_make_no_sense_are_refused_each_time) {
    mp::Pool pool(1);
    for (int i = 0; i < some; ++i)
        EXPECT_THROW((void)pool.apply_async({.timeout = 0s}, twice, i), std::invalid_argument);
    for (int i = 0; i < some; ++i)
        EXPECT_THROW((void)pool.apply_async({.retries = -1}, twice, i), std::invalid_argument);
    EXPECT_EQ(pool.apply(twice, 2), 4);
}

// ---- futures

class SharedFutures : public SharedCalls {
protected:
    /// Calls for 0, 1, 2 and so on.
    template <class F>
    static auto futures(mp::ProcessPoolExecutor& executor, F function, int number = some) {
        std::vector<mp::Future<int>> all;
        for (int i = 0; i < number; ++i) all.push_back(executor.submit(function, i));
        return all;
    }
    /// All behind one that waits for the gate, which the only worker runs.
    static auto futures_that_wait(mp::ProcessPoolExecutor& executor) {
        auto all = futures(executor, waits_at_0);
        EXPECT_TRUE(test::eventually([&] { return all[0].running(); }));
        return all;
    }
};

TEST_F(SharedFutures, have_results_side_by_side) {
    mp::ProcessPoolExecutor executor(2);
    EXPECT_TRUE(test::eventually([&] {
        auto all = futures(executor, twice);
        const int& last = all[some - 1].result();
        return &all[some - 2].result() + 1 == &last && last == 2 * (some - 1);
    }));
}

TEST_F(SharedFutures, are_cancelled_one_by_one_while_they_wait) {
    mp::ProcessPoolExecutor executor(1);
    auto all = futures_that_wait(executor);
    EXPECT_FALSE(all[0].cancel()) << "it runs";
    for (std::size_t i = 5; i < some; i += 5) {
        EXPECT_FALSE(all[i].running());
        EXPECT_TRUE(all[i].cancel());
        EXPECT_TRUE(all[i].cancelled());
        EXPECT_TRUE(all[i].done());
        EXPECT_TRUE(all[i].cancel()) << "again";
        EXPECT_THROW((void)all[i].exception(), mp::TaskCancelled);
    }
    state->gate.open();
    for (std::size_t i = 0; i < some; ++i) {
        if (i > 0 && i % 5 == 0) {
            EXPECT_THROW(all[i].result(), mp::TaskCancelled);
        } else {
            EXPECT_EQ(all[i].result(), static_cast<int>(i));
            EXPECT_FALSE(all[i].cancelled());
            EXPECT_FALSE(all[i].cancel()) << "it is done";
        }
    }
    EXPECT_EQ(state->begun.load(), some - some / 5 + 1);
}

TEST_F(SharedFutures, are_cancelled_with_their_executor_if_they_have_not_begun) {
    mp::ProcessPoolExecutor executor(1);
    auto all = futures_that_wait(executor);
    executor.shutdown(false, true);
    state->gate.open();
    executor.shutdown();
    EXPECT_EQ(all[0].result(), 0);
    int cancelled = 0;
    for (auto& one : all) {
        ASSERT_TRUE(one.done());
        if (!one.cancelled()) continue;
        EXPECT_THROW(one.result(), mp::TaskCancelled);
        ++cancelled;
    }
    EXPECT_EQ(state->begun.load(), some - cancelled);
    EXPECT_TRUE(all[some - 1].cancelled());
}

TEST_F(SharedFutures, come_as_they_are_done) {
    mp::ProcessPoolExecutor executor(2);
    auto all = futures(executor, waits_at_0);
    int seen = 0;
    for (auto& one : mp::as_completed(all)) {
        if (++seen == some - 1) state->gate.open();
        EXPECT_EQ(one == all[0], seen == some);
    }
    EXPECT_EQ(seen, some);
}

TEST_F(SharedFutures, are_waited_for_until_the_first_has_failed) {
    mp::ProcessPoolExecutor executor(1);
    auto all = futures(executor, throws_in_midst);
    const auto [done, not_done] = mp::wait(all, mp::FIRST_EXCEPTION);
    EXPECT_GT(done.size(), static_cast<std::size_t>(midst));
    EXPECT_EQ(done.size() + not_done.size(), all.size());
    EXPECT_TRUE(all[midst].done());
    EXPECT_TRUE(all[midst].exception());
    EXPECT_FALSE(all[midst].cancelled());
    EXPECT_EQ(all[some - 1].result(), some - 1);
}

TEST_F(SharedFutures, that_nobody_waits_for_any_more_are_forgotten_by_who_waited) {
    mp::ProcessPoolExecutor executor(1);
    auto all = futures_that_wait(executor);
    EXPECT_THROW(
        {
            for (auto& one : mp::as_completed(all, 1ms)) (void)one;
        },
        mp::TimeoutError);
    state->gate.open();
    EXPECT_EQ(all[some - 1].result(), some - 1);
}

TEST_F(SharedFutures, run_their_callbacks_in_order_before_cancel_returns) {
    mp::ProcessPoolExecutor executor(1);
    auto all = futures_that_wait(executor);
    std::string told;
    all[9].add_done_callback([&](const mp::Future<int>& one) { told += one.cancelled() ? "a" : "?"; });
    all[9].add_done_callback([&](const mp::Future<int>&) { told += "b"; });
    EXPECT_TRUE(all[9].cancel());
    EXPECT_EQ(told, "ab");
    state->gate.open();
    EXPECT_EQ(all[10].result(), 10);
}

TEST_F(SharedFutures, lose_one_where_a_worker_dies_in_it) {
    mp::ProcessPoolExecutor executor(2);
    auto all = futures(executor, dies_in_midst);
    for (int i = 0; i < some; ++i) {
        auto& one = all[static_cast<std::size_t>(i)];
        if (i == midst)
            EXPECT_THROW(one.result(), mp::WorkerDied);
        else
            EXPECT_EQ(one.result(), i);
    }
}

TEST_F(SharedFutures, end_with_workers_that_are_killed) {
    mp::ProcessPoolExecutor executor(1);
    auto all = futures(executor, hangs_in_midst);
    EXPECT_EQ(all[midst - 1].result(), midst - 1);
    EXPECT_TRUE(test::eventually([&] { return all[midst].running(); }));
    executor.kill_workers();
    EXPECT_THROW(all[midst].result(), mp::PoolTerminated);
    EXPECT_FALSE(all[midst].cancelled());
    EXPECT_TRUE(all[some - 1].cancelled());
    EXPECT_EQ(all[midst - 1].result(), midst - 1);
    EXPECT_THROW((void)executor.submit(twice, 1), mp::PoolNotRunning);
}

}  // namespace shared_calls_test
