// SPDX-License-Identifier: MIT
// soft_timeout, stop_requested() and std::stop_token in tasks: an element is asked to end before it is ended.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/stop_requested.hpp"
#include "procpool/thread_pool.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace soft_timeout_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct shared_state {
    std::atomic<int> begun{0};
    std::atomic<int> asked{0};
};
test::shared<shared_state> state;

class SoftTimeout : public testing::Test {
protected:
    SoftTimeout() { state.reset(); }
};

/// Element 3 works until it is asked to stop.
int stop_at_3(int i) {
    if (i != 3) return i;
    ++state->begun;
    if (!test::eventually([] { return mp::stop_requested(); })) return -1;
    ++state->asked;
    return 30;
}
int never_stop(int) {
    ++state->begun;
    for (;;) ::pause();
}
/// Waits as programs do that have something to wait for.
int wait_for_stop(int i, std::stop_token stop) {
    if (i != 3) return stop.stop_requested() ? -1 : i;
    ++state->begun;
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    changed.wait_for(lock, stop, test::patience, [] { return false; });
    if (!stop.stop_requested()) return -1;
    ++state->asked;
    return 30;
}

template <class Pool, class Task>
void ends_by_itself(Task task) {
    Pool pool(2);
    for (const std::ptrdiff_t chunk : {1, 8}) {
        const auto outcomes =
            pool.try_map(task, test::views::iota(0, 8), {.chunksize = chunk, .soft_timeout = 1s});
        for (int i = 0; i < 8; ++i) {
            const auto& one = outcomes[static_cast<std::size_t>(i)];
            ASSERT_TRUE(one.has_value()) << one.what();
            EXPECT_EQ(*one, i == 3 ? 30 : i);
            EXPECT_EQ(one.asked_to_stop(), i == 3) << i;
        }
    }
    EXPECT_FALSE(mp::stop_requested());
}

TEST_F(SoftTimeout, asks_and_takes_the_result) { ends_by_itself<mp::Pool>(stop_at_3); }
TEST_F(SoftTimeout, reaches_a_stop_token) { ends_by_itself<mp::Pool>(wait_for_stop); }
TEST_F(SoftTimeout, asks_in_a_thread) { ends_by_itself<mp::ThreadPool>(stop_at_3); }

TEST_F(SoftTimeout, is_told_of_elements_that_come_one_by_one_and_of_those_that_throw) {
    mp::Pool pool(1);
    const auto task = [](int i) {
        if (stop_at_3(i) == 30) throw std::runtime_error("no time");
        return i;
    };
    auto outcomes = pool.try_imap(task, test::views::iota(2, 5), {.soft_timeout = 1s});
    EXPECT_FALSE(outcomes.next()->asked_to_stop());
    const auto stopped = outcomes.next();
    EXPECT_TRUE(stopped->asked_to_stop());
    EXPECT_EQ(stopped->what(), "no time");
    EXPECT_FALSE(outcomes.next()->asked_to_stop());
}

TEST_F(SoftTimeout, that_is_not_heeded_is_followed_by_the_hard_one) {
    mp::Pool pool(1);
    const auto outcomes =
        pool.try_map(never_stop, test::views::iota(0, 1), {.timeout = 40ms, .soft_timeout = 10ms});
    EXPECT_THROW(outcomes[0].value(), mp::TaskTimeout);
    EXPECT_TRUE(outcomes[0].asked_to_stop());
    EXPECT_EQ(pool.apply({.timeout = 10s, .soft_timeout = 5s}, stop_at_3, 1), 1);
}

TEST_F(SoftTimeout, that_a_stopped_worker_never_sees_holds_nothing_up) {
    mp::Pool pool({.processes = 1, .terminate_grace = 50ms});
    const auto task = [](int) {
        ::raise(SIGSTOP);
        return 0;
    };
    EXPECT_THROW(pool.apply({.timeout = 40ms, .soft_timeout = 10ms}, task, 0), mp::TaskTimeout);
    EXPECT_EQ(pool.apply(stop_at_3, 1), 1);
}

TEST_F(SoftTimeout, and_a_stop_token_that_is_asked_for_again_and_again) {
    mp::Pool pool(2);
    const auto results = pool.map(wait_for_stop, std::vector<int>(5000, 1), {.soft_timeout = 5s});
    EXPECT_EQ(results, std::vector<int>(5000, 1));
}

/// The request comes at once; the task outlives SIGTERM, so that it is sure to see it.
TEST_F(SoftTimeout, is_as_good_as_a_cancel_for_the_task) {
    mp::Pool pool({.processes = 1, .terminate_grace = test::patience});
    auto call = pool.apply_async(
        [](int i, std::stop_token stop) {
            ::signal(SIGTERM, SIG_IGN);
            return wait_for_stop(i, stop);
        },
        3);
    ASSERT_TRUE(test::eventually([] { return state->begun == 1; }));
    EXPECT_TRUE(call.cancel());
    EXPECT_THROW(call.get(), mp::TaskCancelled);
    EXPECT_TRUE(test::eventually([] { return state->asked == 1; }));
}

TEST_F(SoftTimeout, of_threads_is_asked_for_by_cancel_and_terminate_but_not_by_fail_fast) {
    mp::ThreadPool pool(2);
    auto call = pool.apply_async(stop_at_3, 3);
    ASSERT_TRUE(test::eventually([] { return state->begun == 1; }));
    EXPECT_TRUE(call.cancel());
    ASSERT_TRUE(test::eventually([] { return state->asked == 1; }));
    auto terminated = pool.apply_async(stop_at_3, 3);
    ASSERT_TRUE(test::eventually([] { return state->begun == 2; }));
    pool.terminate();
    EXPECT_EQ(state->asked, 2);
    EXPECT_THROW(terminated.get(), mp::PoolTerminated);
}

TEST_F(SoftTimeout, without_workers_never_comes) {
    mp::Pool pool({.processes = 0});
    EXPECT_EQ(pool.apply(
                  {.soft_timeout = 1ns},
                  [](int i, std::stop_token stop) { return stop.stop_possible() ? -1 : i; }, 2),
              2);
}

TEST_F(SoftTimeout, that_makes_no_sense_is_refused) {
    mp::Pool pool(1);
    EXPECT_THROW(pool.apply({.soft_timeout = 0ns}, stop_at_3, 1), std::invalid_argument);
    EXPECT_THROW(pool.apply({.timeout = 1s, .soft_timeout = 1s}, stop_at_3, 1), std::invalid_argument);
    EXPECT_THROW(pool.map(stop_at_3, std::vector{1}, {.timeout = 1s, .soft_timeout = 2s}),
                 std::invalid_argument);
    mp::ThreadPool threads(1);
    EXPECT_THROW(threads.apply({.soft_timeout = -1s}, stop_at_3, 1), std::invalid_argument);
}

// ---- what is told of an element that was ended

[[gnu::noinline]] int hang_here(int i) {
    while (i >= 0) ::pause();
    return i;
}
[[gnu::noinline]] int spin_here(int i) {
    while (i >= 0) __asm__ volatile("" : "+r"(i));
    return i;
}
int hang_outside(int i) { return hang_here(i) + 1; }
int spin_outside(int i) { return spin_here(i) + 1; }

template <class Task>
void expect_trace(Task task, const mp::TaskOptions& options, const std::string& name) {
    mp::Pool pool(1);
    try {
        pool.apply(options, task, 1);
        FAIL();
    } catch (const mp::TaskTimeout& timeout) {
        EXPECT_NE(timeout.stack_trace().find(name + "_here(int)"), std::string::npos)
            << timeout.stack_trace();
        EXPECT_NE(timeout.stack_trace().find(name + "_outside(int)"), std::string::npos);
        EXPECT_NE(std::string(timeout.what()).find(name), std::string::npos) << timeout.what();
        EXPECT_EQ(timeout.signal(), SIGTERM);
    }
}

TEST(TimeoutTrace, tells_where_an_element_was_that_took_too_long) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "which puts off the handlers of signals";
#endif
    expect_trace(hang_outside, {.timeout = 300ms}, "hang");
    expect_trace(spin_outside, {.timeout = 300ms}, "spin");
    expect_trace(spin_outside, {.cpu_timeout = 100ms}, "spin");
}

TEST(TimeoutTrace, is_missing_where_the_task_has_a_handler_or_the_worker_must_be_killed) {
    mp::Pool pool({.processes = 1, .terminate_grace = 20ms});
    const auto trace_of = [&](auto task) {
        try {
            pool.apply({.timeout = 300ms}, task);
        } catch (const mp::TaskTimeout& timeout) {
            return timeout.stack_trace();
        }
        return std::string("none");
    };
    EXPECT_EQ(trace_of([] {
                  ::signal(SIGTERM, [](int) { ::_exit(3); });
                  hang_here(1);
              }),
              "");
    EXPECT_EQ(trace_of([] { ::raise(SIGSTOP); }), "");
    EXPECT_EQ(trace_of([] {
                  ::signal(SIGTERM, SIG_IGN);
                  hang_here(1);
              }),
              "");
    EXPECT_EQ(pool.apply([] { return 1; }), 1);
}

}  // namespace soft_timeout_test
