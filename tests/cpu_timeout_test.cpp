// SPDX-License-Identifier: MIT
// Limits on the CPU time of elements.
#include <gtest/gtest.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace cpu_timeout_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> begun{0};
};
test::shared<board> seen;

std::chrono::nanoseconds cpu_time(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}
/// Takes so much CPU time in the thread that calls it.
int burn(std::chrono::milliseconds time) {
    const auto begin = cpu_time(CLOCK_THREAD_CPUTIME_ID);
    while (cpu_time(CLOCK_THREAD_CPUTIME_ID) - begin < time) {
    }
    return 1;
}
int burn_ms(int ms) { return burn(std::chrono::milliseconds(ms)); }
int burns_for_ever(int) {
    for (;;) burn(1s);
}

class CpuTimeout : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

TEST_F(CpuTimeout, ends_an_element_that_takes_more_and_no_other) {
    mp::Pool pool(2);
    const auto task = [](int i) { return i == 3 ? burns_for_ever(i) : burn_ms(5); };
    const auto outcomes =
        pool.try_map(task, test::views::iota(0, 10), {.chunksize = 1, .cpu_timeout = 300ms});
    for (std::size_t i = 0; i < 10; ++i) {
        if (i != 3) {
            EXPECT_EQ(outcomes[i].value(), 1);
            continue;
        }
        const std::string text = test::message_of<mp::TaskCpuTimeout>([&] { outcomes[i].value(); });
        EXPECT_NE(text.find("element 3, f(3) exceeded its limit of 300 ms of CPU time"), std::string::npos)
            << text;
        EXPECT_THROW(outcomes[i].value(), mp::TaskTimeout);
        EXPECT_THROW(outcomes[i].value(), mp::WorkerDied);
    }
}

TEST_F(CpuTimeout, does_not_count_time_that_an_element_sleeps) {
    mp::Pool pool(2);
    const auto task = [](int) {
        ::usleep(400'000);
        return 1;
    };
    EXPECT_EQ(pool.map(task, test::views::iota(0, 4), {.chunksize = 1, .cpu_timeout = 200ms}),
              std::vector<int>(4, 1));
}

TEST_F(CpuTimeout, counts_each_element_anew) {
    mp::Pool pool(1);
    EXPECT_EQ(pool.map(burn_ms, std::vector<int>(10, 60), {.cpu_timeout = 300ms}), std::vector<int>(10, 1));
    EXPECT_EQ(pool.map(burn_ms, std::vector<int>(2000, 0), {.cpu_timeout = 100ms}).size(), 2000u);
}

TEST_F(CpuTimeout, counts_all_threads_of_the_worker) {
    mp::Pool pool(1);
    const auto task = [] {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) threads.emplace_back([] { burn(150ms); });
        for (std::thread& one : threads) one.join();
    };
    EXPECT_THROW(pool.apply({.cpu_timeout = 300ms}, task), mp::TaskCpuTimeout);
    pool.apply({.cpu_timeout = 60s}, task);
}

TEST_F(CpuTimeout, goes_beside_a_limit_on_time) {
    mp::Pool pool(2);
    EXPECT_THROW(pool.apply({.timeout = 60s, .cpu_timeout = 100ms}, burns_for_ever, 1), mp::TaskCpuTimeout);
    try {
        pool.apply({.timeout = 100ms, .cpu_timeout = 60s}, [] { ::pause(); });
        ADD_FAILURE() << "it has come to an end";
    } catch (const mp::TaskCpuTimeout&) {
        ADD_FAILURE() << "the other limit was exceeded";
    } catch (const mp::TaskTimeout&) {
    }
}

TEST_F(CpuTimeout, gives_elements_as_many_tries_as_there_are) {
    mp::Pool pool(2);
    const auto task = [](int i) { return i == 0 && seen->begun++ < 2 ? burns_for_ever(i) : i; };
    EXPECT_EQ(pool.map(task, test::views::iota(0, 3), {.chunksize = 1, .cpu_timeout = 100ms, .retries = 2}),
              (std::vector<int>{0, 1, 2}));
    EXPECT_THROW(pool.apply({.cpu_timeout = 50ms, .retries = 1}, burns_for_ever, 1), mp::TaskCpuTimeout);
}

TEST_F(CpuTimeout, is_kept_by_a_worker_that_ignores_sigterm) {
    mp::Pool pool({.processes = 1, .terminate_grace = 100ms});
    const auto task = [](int i) {
        ::signal(SIGTERM, SIG_IGN);
        return burns_for_ever(i);
    };
    EXPECT_THROW(pool.apply({.cpu_timeout = 100ms}, task, 1), mp::TaskCpuTimeout);
    EXPECT_EQ(pool.apply(burn_ms, 1), 1);
}

TEST_F(CpuTimeout, lets_who_is_killed_before_it_die_of_that) {
    mp::Pool pool(1);
    auto call = pool.apply_async(
        {.cpu_timeout = 60s},
        [](int i) {
            ++seen->begun;
            return burns_for_ever(i);
        },
        1);
    ASSERT_TRUE(test::eventually([] { return seen->begun == 1; }));
    for (const long one : test::workers()) ::kill(static_cast<pid_t>(one), SIGKILL);
    try {
        call.get();
        ADD_FAILURE() << "it has come to an end";
    } catch (const mp::TaskTimeout&) {
        ADD_FAILURE() << "no limit was exceeded";
    } catch (const mp::WorkerDied&) {
    }
}

TEST_F(CpuTimeout, has_no_meaning_for_threads_and_must_not_be_negative) {
    mp::ThreadPool threads(1);
    EXPECT_THROW(threads.apply({.cpu_timeout = 1s}, burn_ms, 1), std::invalid_argument);
    EXPECT_THROW(threads.map(burn_ms, test::views::iota(0, 2), {.cpu_timeout = 1s}), std::invalid_argument);
    mp::Pool pool(1);
    EXPECT_THROW(pool.apply({.cpu_timeout = -1s}, burn_ms, 1), std::invalid_argument);
}

}  // namespace cpu_timeout_test
