// SPDX-License-Identifier: MIT
// Futures of executors: results, cancelling, callbacks, coroutines; wait() and as_completed().
#include "procpool/future.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <cereal/types/memory.hpp>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "procpool/executor.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/wait.hpp"

namespace future_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> begun{0};
    test::gate gate;
};
test::shared<board> seen;

int twice(int i) {
    ++seen->begun;
    return 2 * i;
}
int fails(int i) { throw std::domain_error(std::to_string(i)); }
int waits(int i) {
    ++seen->begun;
    seen->gate.pass();
    return i;
}

template <class Executor>
class Futures : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }

    /// A call that holds the only worker.
    auto hold() {
        auto held = single.submit(waits, 1);
        EXPECT_TRUE(test::eventually([&] { return held.running(); }));
        return held;
    }

    Executor single{1};
};

#if PROCPOOL_TEST_PROCESSES
using executors = testing::Types<mp::ProcessPoolExecutor>;
#else
using executors = testing::Types<mp::ThreadPoolExecutor>;
#endif
TYPED_TEST_SUITE(Futures, executors, );

// ---- results

TYPED_TEST(Futures, results_can_be_read_again_by_each_handle) {
    const auto future = this->single.submit(twice, 4);
    const auto copy = future;
    EXPECT_EQ(future.result(), 8);
    EXPECT_EQ(copy.result(1s), 8);
    EXPECT_EQ(&future.result(), &copy.result());
    EXPECT_EQ(future.exception(), nullptr);
    EXPECT_EQ(this->single.submit(twice, 5).result(), 10);
    EXPECT_NO_THROW(this->single.submit([] {}).result());
}

TYPED_TEST(Futures, results_are_moved_out_of_the_last_handle_only) {
    auto future = this->single.submit([] { return std::string(1000, 'x'); });
    const char* const at = future.result().data();
    auto copy = future;
    EXPECT_NE(std::move(copy).result().data(), at);
    copy = future;
    EXPECT_EQ(copy.result().size(), 1000u) << "it was a copy";
    copy = this->single.submit([] { return std::string(); });
    EXPECT_EQ(std::move(future).result().data(), at);
    EXPECT_EQ(*this->single.submit([] { return std::make_unique<int>(3); }).result(), 3);
}

TYPED_TEST(Futures, a_task_that_throws_keeps_its_exception) {
    const auto future = this->single.submit(fails, 7);
    EXPECT_THROW(future.result(), std::domain_error);
    EXPECT_THROW(future.result(), std::domain_error);
    ASSERT_NE(future.exception(), nullptr);
    EXPECT_THROW(std::rethrow_exception(future.exception(1s)), std::domain_error);
    EXPECT_TRUE(future.done());
    EXPECT_FALSE(future.cancelled());
    EXPECT_FALSE(future.cancel());
}

TYPED_TEST(Futures, waiting_for_too_short_is_a_timeout_and_loses_nothing) {
    const auto future = this->hold();
    EXPECT_THROW(future.result(1ms), mp::TimeoutError);
    EXPECT_THROW(future.exception(0s), mp::TimeoutError);
    seen->gate.open();
    EXPECT_EQ(future.result(test::patience), 1);
}

TYPED_TEST(Futures, can_be_keys) {
    std::unordered_map<mp::Future<int>, std::string> names;
    const auto first = this->single.submit(twice, 1);
    const auto second = this->single.submit(twice, 1);
    names[first] = "first";
    names[second] = "second";
    EXPECT_EQ(names.at(first), "first");
    EXPECT_EQ(names.size(), 2u);
    EXPECT_NE(first, second);
}

// ---- states, and taking calls back

TYPED_TEST(Futures, tell_whether_they_wait_run_or_are_done) {
    const auto running = this->hold();
    const auto waiting = this->single.submit(twice, 1);
    EXPECT_FALSE(running.done());
    EXPECT_FALSE(waiting.running());
    EXPECT_FALSE(waiting.done());
    seen->gate.open();
    EXPECT_EQ(waiting.result(), 2);
    EXPECT_TRUE(waiting.done());
    EXPECT_FALSE(waiting.running());
    EXPECT_FALSE(running.running());
}

TYPED_TEST(Futures, cancelled_before_they_begin_never_run) {
    for (int i = 0; i < 50; ++i)
        this->single.submit(twice, i).result();  // quick, so that many are sent ahead
    seen->begun = 0;
    const auto running = this->hold();
    std::vector<mp::Future<int>> waiting;
    for (int i = 0; i < 30; ++i) waiting.push_back(this->single.submit(twice, i));
    for (int i = 0; i < 30; i += 2) {
        EXPECT_TRUE(waiting[static_cast<std::size_t>(i)].cancel());
        EXPECT_TRUE(waiting[static_cast<std::size_t>(i)].cancel()) << "it is";
        EXPECT_TRUE(waiting[static_cast<std::size_t>(i)].cancelled());
        EXPECT_TRUE(waiting[static_cast<std::size_t>(i)].done());
    }
    seen->gate.open();
    for (int i = 0; i < 30; ++i) {
        const auto& one = waiting[static_cast<std::size_t>(i)];
        if (i % 2 == 0) {
            EXPECT_THROW(one.result(), mp::TaskCancelled);
            EXPECT_THROW(one.exception(), mp::TaskCancelled);
        } else {
            EXPECT_EQ(one.result(), 2 * i);
            EXPECT_FALSE(one.cancelled());
        }
    }
    EXPECT_EQ(running.result(), 1);
    EXPECT_EQ(seen->begun.load(), 16);
}

TYPED_TEST(Futures, that_run_can_not_be_cancelled_and_go_on) {
    const auto running = this->hold();
    EXPECT_FALSE(running.cancel());
    EXPECT_FALSE(running.cancelled());
    EXPECT_TRUE(running.running());
    seen->gate.open();
    EXPECT_EQ(running.result(), 1);
    EXPECT_EQ(seen->begun.load(), 1) << "it was not begun again";
}

TYPED_TEST(Futures, are_either_cancelled_or_run_whoever_comes_first) {
    TypeParam executor(2);
    std::vector<mp::Future<int>> futures;
    std::atomic<int> submitted{0};
    constexpr int count = 2000;
    futures.reserve(count);
    std::thread canceller([&] {
        for (int i = 0; i < count; ++i) {
            while (submitted.load() <= i) std::this_thread::yield();
            if (i % 3 == 0) futures[static_cast<std::size_t>(i)].cancel();
        }
    });
    for (int i = 0; i < count; ++i) {
        futures.push_back(executor.submit(twice, i));
        submitted.store(i + 1);
    }
    canceller.join();
    int results = 0;
    for (int i = 0; i < count; ++i) {
        const auto& one = futures[static_cast<std::size_t>(i)];
        if (one.cancelled()) continue;
        ++results;
        EXPECT_EQ(one.result(), 2 * i);
    }
    EXPECT_EQ(seen->begun.load(), results);
}

#if PROCPOOL_TEST_PROCESSES
int dies(int) { return ::raise(SIGKILL); }

TEST(FuturesOfProcesses, only_the_one_whose_worker_dies_is_lost) {
    mp::ProcessPoolExecutor executor(2);
    std::vector<mp::Future<int>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(executor.submit(i == 3 ? dies : twice, i));
    for (int i = 0; i < 20; ++i) {
        const auto& one = futures[static_cast<std::size_t>(i)];
        if (i == 3)
            EXPECT_THROW(one.result(), mp::WorkerDied);
        else
            EXPECT_EQ(one.result(), 2 * i);
    }
    EXPECT_EQ(executor.submit(twice, 1).result(), 2);
}
#endif

// ---- callbacks

TYPED_TEST(Futures, callbacks_get_the_future_that_is_done) {
    const auto future = this->hold();
    std::promise<int> told;
    std::vector<int> order;
    future.add_done_callback([&](const mp::Future<int>& done) {
        EXPECT_TRUE(done.done());
        EXPECT_EQ(done, future);
        order.push_back(1);
        told.set_value(done.result());
    });
    future.add_done_callback([&](mp::Future<int>) { order.push_back(2); });
    std::promise<void> ended;
    future.add_done_callback([&](mp::Future<int>) { ended.set_value(); });
    seen->gate.open();
    auto value = told.get_future();
    ASSERT_EQ(value.wait_for(test::patience), std::future_status::ready);
    EXPECT_EQ(value.get(), 1);
    ended.get_future().wait();
    EXPECT_EQ(order, (std::vector{1, 2}));
    bool at_once = false;
    future.add_done_callback([&](mp::Future<int>) { at_once = true; });
    EXPECT_TRUE(at_once);
}

TYPED_TEST(Futures, callbacks_of_cancelled_ones_have_run_when_cancel_returns) {
    const auto running = this->hold();
    const auto waiting = this->single.submit(twice, 1);
    bool was_cancelled = false;
    waiting.add_done_callback([&](const mp::Future<int>& done) { was_cancelled = done.cancelled(); });
    EXPECT_TRUE(waiting.cancel());
    EXPECT_TRUE(was_cancelled);
    seen->gate.open();
    running.result();
}

TYPED_TEST(Futures, callbacks_that_throw_tell_the_error_handler) {
    std::atomic<int> reported{0};
    TypeParam executor(
        mp::PoolOptions{.processes = 1, .error_handler = [&](std::exception_ptr) { ++reported; }});
    const auto future = executor.submit(twice, 1);
    future.add_done_callback([](mp::Future<int>) { throw std::domain_error("of a callback"); });
    EXPECT_EQ(future.result(), 2);
    executor.shutdown();
    EXPECT_EQ(reported.load(), 1);
}

TYPED_TEST(Futures, callbacks_may_cancel_others_and_submit_more) {
    const auto running = this->hold();
    const auto waiting = this->single.submit(waits, 1);
    const auto cancelled = this->single.submit(twice, 1);
    std::promise<mp::Future<int>> told;
    running.add_done_callback([&](mp::Future<int>) {
        EXPECT_TRUE(cancelled.cancel());
        told.set_value(this->single.submit(twice, 21));
    });
    seen->gate.open();
    auto next = told.get_future();
    ASSERT_EQ(next.wait_for(test::patience), std::future_status::ready);
    EXPECT_EQ(next.get().result(), 42);
    EXPECT_EQ(waiting.result(), 1);
}

// ---- coroutines

/// A coroutine that begins at once; its value comes by a std::future.
template <class T>
struct background {
    struct promise_type {
        std::promise<T> result;
        background get_return_object() { return {result.get_future()}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_value(T returned) { result.set_value(std::move(returned)); }
        void unhandled_exception() { result.set_exception(std::current_exception()); }
    };
    T get() {
        if (value.wait_for(test::patience) != std::future_status::ready)
            throw std::runtime_error("the coroutine never ends");
        return value.get();
    }
    std::future<T> value;
};

template <class Executor>
background<int> sum_of_awaited(Executor& executor, int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await executor.submit(twice, i);
    const auto kept = executor.submit(twice, 1);
    sum += co_await kept;
    sum += co_await kept;  // which is done
    co_return sum;
}

template <class Executor>
background<std::string> error_that_is_awaited(Executor& executor) {
    std::string text;
    try {
        co_await executor.submit(fails, 5);
    } catch (const std::domain_error& error) {
        text = error.what();
    }
    auto more =
        co_await executor.submit([] { return std::make_unique<std::string>(" and what can only be moved"); });
    co_return text + *more;
}

TYPED_TEST(Futures, can_be_awaited) {
    EXPECT_EQ(sum_of_awaited(this->single, 100).get(), 9904);
    EXPECT_EQ(error_that_is_awaited(this->single).get(), "5 and what can only be moved");
    std::vector<background<int>> many;
    TypeParam executor(2);
    for (int i = 0; i < 20; ++i) many.push_back(sum_of_awaited(executor, 20));
    for (auto& coroutine : many) EXPECT_EQ(coroutine.get(), 384);
}

// ---- many at once

TYPED_TEST(Futures, wait_returns_when_all_are_done) {
    std::vector<mp::Future<int>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(this->single.submit(i == 4 ? fails : twice, i));
    futures.push_back(futures.front());
    const auto [done, not_done] = mp::wait(futures);
    EXPECT_EQ(done.size(), 20u) << "each once";
    EXPECT_TRUE(not_done.empty());
    EXPECT_EQ(done[7].result(), 14) << "in the order of the input";
    EXPECT_TRUE(mp::wait(std::vector<mp::Future<int>>{}).done.empty());
}

TYPED_TEST(Futures, wait_returns_at_the_first_that_is_done) {
    TypeParam other(1);
    const auto running = this->hold();
    const std::vector futures{running, this->single.submit(twice, 1), other.submit(twice, 3)};
    const auto result = mp::wait(futures, mp::FIRST_COMPLETED);
    EXPECT_EQ(result.done, (std::vector{futures[2]}));
    EXPECT_EQ(result.not_done, (std::vector{futures[0], futures[1]}));
    seen->gate.open();
    EXPECT_EQ(mp::wait(futures, mp::ALL_COMPLETED).done.size(), 3u);
}

TYPED_TEST(Futures, wait_returns_at_the_first_exception_but_not_at_a_cancelled_one) {
    TypeParam other(1);
    const auto running = this->hold();
    const auto cancelled = this->single.submit(twice, 1);
    cancelled.cancel();
    const std::vector futures{running, cancelled, other.submit(twice, 2), other.submit(fails, 3)};
    const auto result = mp::wait(futures, mp::FIRST_EXCEPTION, test::patience);
    EXPECT_EQ(result.done, (std::vector{futures[1], futures[2], futures[3]}));
    EXPECT_EQ(result.not_done, std::vector{running});
    seen->gate.open();
    EXPECT_EQ(mp::wait(std::vector{running, cancelled}, mp::FIRST_EXCEPTION).done.size(), 2u)
        << "if there is none, when all are done";
}

TYPED_TEST(Futures, wait_ends_when_its_time_is_over) {
    const auto running = this->hold();
    for (int i = 0; i < 3; ++i) {
        const auto result = mp::wait(std::vector{running}, mp::FIRST_COMPLETED, 1ms);
        EXPECT_TRUE(result.done.empty());
        EXPECT_EQ(result.not_done.size(), 1u);
    }
    seen->gate.open();
}

TYPED_TEST(Futures, come_as_they_are_completed) {
    TypeParam two(2);
    const auto late = two.submit(waits, 0);
    std::vector futures{late};
    for (int i = 1; i < 2000; ++i) futures.push_back(two.submit(twice, i));
    futures.push_back(late);
    std::set<int> values;
    std::vector<mp::Future<int>> order;
    for (auto& future : mp::as_completed(futures)) {
        EXPECT_TRUE(future.done());
        order.push_back(future);
        values.insert(future.result());
        if (order.size() == 1999) seen->gate.open();
    }
    EXPECT_EQ(order.size(), 2000u);
    EXPECT_EQ(order.back(), late);
    EXPECT_EQ(values.size(), 2000u);
    EXPECT_EQ(*values.rbegin(), 3998);
}

TYPED_TEST(Futures, of_several_executors_come_as_they_are_completed) {
    TypeParam other(1);
    std::vector<mp::Future<int>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back((i % 2 == 0 ? this->single : other).submit(twice, i));
    int sum = 0;
    for (const auto& future : mp::as_completed(futures)) sum += future.result();
    EXPECT_EQ(sum, 9900);
}

TYPED_TEST(Futures, that_are_not_completed_in_time_end_the_loop) {
    const auto running = this->hold();
    const std::vector futures{running, this->single.submit(twice, 1)};
    try {
        for (const auto& future : mp::as_completed(futures, 5ms)) ADD_FAILURE() << future.result();
        ADD_FAILURE() << "no error";
    } catch (const mp::TimeoutError& error) {
        EXPECT_STREQ(error.what(), "procpool: 2 (of 2) futures unfinished");
    }
    seen->gate.open();
    EXPECT_EQ(futures[1].result(), 2) << "nobody who left is told";
}

TYPED_TEST(Futures, outlive_their_executor) {
    std::optional<TypeParam> executor(std::in_place, 1);
    const auto future = executor->submit(twice, 1);
    executor.reset();
    EXPECT_TRUE(future.done());
    EXPECT_EQ(future.result(), 2);
    EXPECT_FALSE(future.cancel());
    int called = 0;
    future.add_done_callback([&](mp::Future<int>) { ++called; });
    EXPECT_EQ(called, 1);
}

}  // namespace future_test
