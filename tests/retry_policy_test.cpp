// SPDX-License-Identifier: MIT
// RetryPolicy, attempt() and MapOptions::max_failures: which elements run again and when, and when a call
// gives up.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/attempt.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/element_result.hpp"
#include "procpool/executor.hpp"
#include "procpool/observer.hpp"
#include "procpool/pool.hpp"
#include "procpool/retry_policy.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/worker.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace retry_policy_test {

namespace mp = procpool;
using namespace std::chrono_literals;

using counters = std::array<std::atomic<int>, 64>;
test::shared<counters> attempts;  // at each element
test::shared<test::gate> hold;

int count(int element) { return attempts->at(static_cast<std::size_t>(element)).fetch_add(1) + 1; }
int times(int element) { return attempts->at(static_cast<std::size_t>(element)).load(); }

/// The first two attempts at an element that 10 divides throw.
std::uint32_t throw_twice(int element) {
    count(element);
    if (element % 10 == 0 && mp::attempt() < 3) throw std::runtime_error("not yet");
    return mp::attempt();
}
int throw_always(int element) {
    count(element);
    throw std::runtime_error("never");
}
std::uint32_t die_once(int element) {
    count(element);
    if (mp::attempt() == 1) ::kill(::getpid(), SIGKILL);
    return mp::attempt();
}
int throw_odd(int element) {
    count(element);
    if (element % 2 != 0) throw std::runtime_error("odd");
    return element;
}

const mp::RetryPolicy quickly{.times = 5, .delay = 2ms};
mp::RetryPolicy for_all(mp::RetryPolicy policy = quickly) {
    policy.when = [](const std::exception_ptr&) { return true; };
    return policy;
}

template <class Pool>
class RetryPolicy : public testing::Test {
protected:
    RetryPolicy() { attempts.reset(); }
};
struct Inline : mp::Pool {
    Inline(int) : mp::Pool({.processes = 0}) {}
    explicit Inline(mp::PoolOptions options)
        : mp::Pool([&] {
              options.processes = 0;
              return std::move(options);
          }()) {}
};
using pools = testing::Types<mp::Pool, mp::ThreadPool, Inline>;
struct names {
    template <class Pool>
    static std::string GetName(int) {
        return std::is_same_v<Pool, mp::Pool> ? "Processes"
               : std::is_same_v<Pool, Inline> ? "None"
                                              : "Threads";
    }
};
TYPED_TEST_SUITE(RetryPolicy, pools, names);

TYPED_TEST(RetryPolicy, runs_elements_again_after_a_delay_and_counts_attempts) {
    TypeParam pool(2);
    for (const std::ptrdiff_t chunk : {1, 4}) {
        attempts.reset();
        const auto outcomes =
            pool.try_map(throw_twice, test::views::iota(0, 31), {.chunksize = chunk, .retries = for_all()});
        for (int i = 0; i < 31; ++i) {
            const auto& one = outcomes[static_cast<std::size_t>(i)];
            ASSERT_TRUE(one.has_value()) << one.what();
            EXPECT_EQ(*one, i % 10 == 0 ? 3u : 1u) << "element " << i;
            EXPECT_EQ(one.attempts(), *one) << "element " << i;
            EXPECT_EQ(times(i), i % 10 == 0 ? 3 : 1) << "element " << i;
        }
    }
    EXPECT_EQ(mp::attempt(), 0u);
}

TYPED_TEST(RetryPolicy, counts_attempts_of_what_comes_one_by_one) {
    TypeParam pool(2);
    auto outcomes = pool.try_imap(throw_twice, test::views::iota(9, 13), {.retries = for_all()});
    for (const std::uint32_t expected : {1u, 3u, 1u, 1u}) {
        const auto next = outcomes.next();
        ASSERT_TRUE(next && next->has_value());
        EXPECT_EQ(next->attempts(), expected);
    }
    auto failing = pool.try_imap_unordered(throw_always, test::views::iota(0, 1), {.retries = for_all()});
    const auto next = failing.next();
    ASSERT_TRUE(next && next->error());
    EXPECT_EQ(next->attempts(), 6u);
    EXPECT_EQ(times(0), 6);
}

TYPED_TEST(RetryPolicy, asks_about_each_error_and_believes_it) {
    TypeParam pool(2);
    std::atomic<int> asked{0};
    const mp::RetryPolicy policy{.times = 3, .when = [&](const std::exception_ptr& error) {
                                     ++asked;
                                     try {
                                         std::rethrow_exception(error);
                                     } catch (const std::out_of_range&) {
                                         return true;
                                     } catch (...) {
                                         return false;
                                     }
                                 }};
    const auto task = [](int i) -> int {
        count(i);
        if (i == 0) throw std::out_of_range("again");
        throw std::invalid_argument("for good");
    };
    const auto outcomes = pool.try_map(task, test::views::iota(0, 2), {.retries = policy});
    EXPECT_THROW(outcomes[0].value(), std::out_of_range);
    EXPECT_THROW(outcomes[1].value(), std::invalid_argument);
    EXPECT_EQ(times(0), 4);
    EXPECT_EQ(times(1), 1);
    EXPECT_EQ(asked, 4);  // not after the last attempt
    EXPECT_EQ(outcomes[0].attempts(), 4u);
    EXPECT_EQ(outcomes[1].attempts(), 1u);
}

TYPED_TEST(RetryPolicy, that_throws_when_asked_is_told_to_the_error_handler) {
    std::atomic<int> told{0};
    TypeParam pool(
        mp::PoolOptions{.processes = 1, .error_handler = [&](const std::exception_ptr&) { ++told; }});
    const mp::RetryPolicy policy{.when = [](const std::exception_ptr&) -> bool { throw 42; }};
    EXPECT_THROW(pool.apply({.retries = policy}, throw_always, 1), std::runtime_error);
    EXPECT_EQ(times(1), 1);
    EXPECT_EQ(told, 1);
}

TYPED_TEST(RetryPolicy, is_waited_for_by_join) {
    TypeParam pool(1);
    auto call = pool.apply_async({.retries = for_all({.times = 2, .delay = 20ms})}, throw_twice, 10);
    pool.close();
    pool.join();
    ASSERT_TRUE(call.ready());
    EXPECT_EQ(call.get(), 3u);
}

TYPED_TEST(RetryPolicy, is_ended_at_once_by_terminate_and_cancel) {
    TypeParam pool(1);
    const mp::RetryPolicy hours = for_all({.times = 1, .delay = 100h, .longest_delay = 100h});
    auto cancelled = pool.apply_async({.retries = hours}, throw_always, 1);
    auto terminated = pool.apply_async({.retries = hours}, throw_always, 2);
    pool.apply([] {});  // by the only worker: both have failed before
    EXPECT_TRUE(cancelled.cancel());
    EXPECT_THROW(cancelled.get(), mp::TaskCancelled);
    EXPECT_FALSE(terminated.ready());
    pool.terminate();
    EXPECT_THROW(terminated.get(), mp::PoolTerminated);
    EXPECT_EQ(times(1), 1);
    EXPECT_EQ(times(2), 1);
}

TYPED_TEST(RetryPolicy, holds_no_worker_while_it_waits) {
    TypeParam pool(1);
    const mp::RetryPolicy hours = for_all({.times = 1, .delay = 100h, .longest_delay = 100h});
    auto late = pool.apply_async({.retries = hours}, throw_always, 1);
    auto whole = pool.map_async(throw_odd, std::vector{1}, {.retries = hours});
    ASSERT_TRUE(test::eventually([] { return times(1) == 2; }));
    EXPECT_EQ(pool.apply(throw_odd, 4), 4);
    EXPECT_FALSE(late.ready());
    EXPECT_FALSE(whole.ready());
}

TYPED_TEST(RetryPolicy, with_a_delay_gives_callbacks_and_fail_fast_the_last_error_only) {
    TypeParam pool(2);
    std::atomic<int> told{0};
    const mp::MapOptions options{.retries = for_all(), .fail_fast = true, .on_result = [&](const auto& one) {
                                     EXPECT_TRUE(one.has_value());
                                     ++told;
                                 }};
    EXPECT_EQ(pool.map(throw_twice, test::views::iota(0, 21), options).size(), 21u);
    EXPECT_EQ(told, 21);
}

TYPED_TEST(RetryPolicy, tells_observers_what_runs_again_and_counts_what_is_flaky) {
    struct observer final : mp::Observer {
        void elements_end(const mp::CallInfo&, std::span<const mp::ElementEnd> some) override {
            for (const auto& one : some) ends.push_back(one);
        }
        std::vector<mp::ElementEnd> ends;
    };
    const auto told = std::make_shared<observer>();
    TypeParam pool(mp::PoolOptions{.processes = 1, .statistics = true});
    EXPECT_EQ(pool.map(throw_twice, test::views::iota(9, 11), {.retries = for_all(), .observers = {told}}),
              (std::vector<std::uint32_t>{1, 3}));
    std::vector<std::uint32_t> of_10;
    for (const auto& one : told->ends) {
        if (one.index == 0) continue;
        of_10.push_back(one.attempt);
        EXPECT_EQ(one.runs_again, one.attempt < 3);
        EXPECT_EQ(one.outcome, one.attempt < 3 ? mp::element_outcome::threw : mp::element_outcome::returned);
    }
    EXPECT_EQ(of_10, (std::vector<std::uint32_t>{1, 2, 3}));
    EXPECT_EQ(pool.stats().all().flaky, 1u);
}

TYPED_TEST(RetryPolicy, that_makes_no_sense_is_refused) {
    TypeParam pool(1);
    const auto is_refused = [&](mp::RetryPolicy policy) {
        EXPECT_THROW(pool.apply({.retries = policy}, throw_odd, 2), std::invalid_argument);
        EXPECT_THROW(pool.map(throw_odd, std::vector{2}, {.retries = policy}), std::invalid_argument);
    };
    is_refused({.times = -1});
    is_refused({.delay = -1ns});
    is_refused({.backoff = 0.5});
    is_refused({.backoff = std::numeric_limits<double>::quiet_NaN()});
    is_refused({.backoff = std::numeric_limits<double>::infinity()});
    is_refused({.longest_delay = -1ns});
    is_refused({.jitter = 1.5});
    is_refused({.jitter = -0.5});
    EXPECT_THROW(pool.map(throw_odd, std::vector{2}, {.max_failures = 0}), std::invalid_argument);
    EXPECT_EQ(pool.apply(throw_odd, 2), 2);
}

TYPED_TEST(RetryPolicy, max_failures_drop_what_has_not_begun) {
    TypeParam pool(1);
    // Element 8 stays until three failures were told.
    const auto odd = [](int i) {
        if (i == 8) hold->pass();
        return throw_odd(i);
    };
    std::atomic<int> told{0};
    mp::MapOptions options{.chunksize = 1, .max_failures = 3, .on_result = [&](const mp::ElementResult& one) {
                               if (!one.has_value() && ++told == 3) hold->open();
                           }};
    hold.reset();
    const auto outcomes = pool.try_map(odd, test::views::iota(0, 60), options);
    const std::string dropped = "procpool: dropped, since 3 elements had failed (max_failures)";
    EXPECT_EQ(outcomes[5].what(), "odd");
    EXPECT_EQ(outcomes[59].what(), dropped);
    EXPECT_EQ(times(59), 0);
    EXPECT_EQ(pool.apply(throw_odd, 2), 2);  // nobody is at the gate any more
    hold.reset();
    told = 0;
    EXPECT_THROW(pool.map(odd, test::views::iota(0, 60), options), std::runtime_error);
    EXPECT_EQ(times(59), 0);
    attempts.reset();
    const auto good =
        pool.map(throw_twice, test::views::iota(0, 21), {.retries = for_all(), .max_failures = 1});
    EXPECT_EQ(good.size(), 21u);
}

TEST(RetryPolicyOfProcesses, is_for_deaths_and_time_limits_by_default) {
    attempts.reset();
    mp::Pool pool(2);
    const auto outcomes = pool.try_map(die_once, test::views::iota(0, 4), {.retries = quickly});
    for (const auto& one : outcomes) {
        ASSERT_TRUE(one.has_value()) << one.what();
        EXPECT_EQ(*one, 2u);
        EXPECT_EQ(one.attempts(), 2u);
    }
    EXPECT_THROW(pool.apply({.retries = quickly}, throw_always, 5), std::runtime_error);
    EXPECT_EQ(times(5), 1);
    std::atomic<int> deaths{0};
    const mp::RetryPolicy asks{.times = 1, .when = [&](const std::exception_ptr& error) {
                                   try {
                                       std::rethrow_exception(error);
                                   } catch (const mp::WorkerDied& death) {
                                       deaths += death.signal() == SIGKILL;
                                   }
                                   return true;
                               }};
    EXPECT_EQ(pool.apply({.retries = asks}, die_once, 6), 2u);
    EXPECT_EQ(deaths, 1);
}

TEST(RetryPolicyOfProcesses, runs_again_in_each_worker_where_it_belongs) {
    mp::Pool pool(2);
    const auto outcomes = pool.try_everywhere({.retries = quickly}, [] {
        if (mp::attempt() == 1) ::kill(::getpid(), SIGKILL);
        return *mp::worker_index();
    });
    ASSERT_EQ(outcomes.size(), 2u);
    EXPECT_EQ(*outcomes[0], 0u);
    EXPECT_EQ(*outcomes[1], 1u);
    EXPECT_EQ(outcomes[0].attempts(), 2u);
}

/// Sees that an element waits for another attempt.
struct failure_watch final : mp::Observer {
    void elements_end(const mp::CallInfo&, std::span<const mp::ElementEnd> some) override {
        for (const auto& one : some)
            if (one.runs_again) seen = true;
    }
    std::atomic<bool> seen{false};
};

template <class Executor>
void shut_down_while_one_waits() {
    attempts.reset();
    const auto watch = std::make_shared<failure_watch>();
    Executor executor(1);
    auto future = executor.submit(
        {.retries = for_all({.times = 1, .delay = 100h, .longest_delay = 100h}), .observers = {watch}},
        throw_always, 1);
    ASSERT_TRUE(test::eventually([&] { return watch->seen.load(); }));
    executor.shutdown(true, true);
    EXPECT_THROW(future.result(), mp::TaskCancelled);
    EXPECT_EQ(times(1), 1);
}
/// What runs when an executor is shut down comes to its end, and waits for nothing before.
template <class Executor>
void shut_down_while_one_runs() {
    attempts.reset();
    hold.reset();
    Executor executor(1);
    auto future = executor.submit(
        {.retries = for_all({.times = 2, .delay = 100h, .longest_delay = 100h})},
        [](int i) {
            count(i);
            hold->pass();
            return throw_always(i);
        },
        1);
    ASSERT_TRUE(test::eventually([] { return times(1) == 1; }));
    executor.shutdown(false, true);
    hold->open();
    EXPECT_THROW(future.result(), std::runtime_error);
    EXPECT_EQ(times(1), 6);
}

TEST(RetryPolicyOfExecutors, is_cancelled_by_a_shutdown) {
    shut_down_while_one_waits<mp::ProcessPoolExecutor>();
    shut_down_while_one_waits<mp::ThreadPoolExecutor>();
}
TEST(RetryPolicyOfExecutors, has_no_delays_after_a_shutdown) {
    shut_down_while_one_runs<mp::ProcessPoolExecutor>();
    shut_down_while_one_runs<mp::ThreadPoolExecutor>();
}

TEST(RetryPolicyOfThreads, waits_in_a_task_that_needs_its_own_thread_for_it) {
    attempts.reset();
    mp::ThreadPool pool(1);
    const auto outer = [&](int) {
        return pool.map(throw_twice, test::views::iota(9, 12), {.retries = for_all()}).size();
    };
    EXPECT_EQ(pool.apply(outer, 0), 3u);
}

TEST(RetryDelay, grows_up_to_its_limit_and_jitter_shortens_it) {
    struct : mp::detail::job::basic_job {
        void fail(std::uint64_t, std::exception_ptr) override {}
    } job;
    const auto apply = [&](const mp::RetryPolicy& policy) {
        mp::detail::job::apply_retries(job, policy, false);
    };
    const auto after = [&](std::uint64_t failures) { return mp::detail::job::delay_after(job, failures); };
    EXPECT_EQ(after(1), 0ns);
    apply({.delay = 10ms, .backoff = 3, .longest_delay = 200ms});
    EXPECT_EQ(after(1), 10ms);
    EXPECT_EQ(after(2), 30ms);
    EXPECT_EQ(after(3), 90ms);
    EXPECT_EQ(after(4), 200ms);
    EXPECT_EQ(after(100'000), 200ms);
    apply({.delay = 10ms, .jitter = 0.5});
    bool differ = false;
    for (int i = 0; i < 100; ++i) {
        const auto delay = after(1);
        EXPECT_GE(delay, 5ms);
        EXPECT_LE(delay, 10ms);
        differ = differ || delay != after(1);
    }
    EXPECT_TRUE(differ);
    apply({.delay = std::chrono::nanoseconds::max(),
           .backoff = 1e300,
           .longest_delay = std::chrono::nanoseconds::max()});
    EXPECT_GT(after(10), 24h);
}

}  // namespace retry_policy_test
