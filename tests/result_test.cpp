// SPDX-License-Identifier: MIT
// AsyncResult: results of calls that go on, and callbacks.
#include "procpool/result.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/pool.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace result_test {

namespace mp = test::tested;
using namespace std::chrono_literals;

int twice(int i) { return 2 * i; }
int fails(int i) { throw std::domain_error(std::to_string(i)); }
int waits(int i);

struct board {
    std::atomic<int> count{0};
    test::gate gate;
};
test::shared<board> seen;

int waits(int i) {
    seen->gate.pass();
    ++seen->count;
    return i;
}

static_assert(!std::is_copy_constructible_v<mp::AsyncResult<int>>);
static_assert(std::is_nothrow_move_constructible_v<mp::AsyncResult<int>>);

/// What the callbacks of a test threw, told to the pool's error handler.
class Reports {
public:
    void operator()(const std::exception_ptr& error) {
        const std::lock_guard lock(mutex_);
        try {
            std::rethrow_exception(error);
        } catch (const std::exception& problem) {
            texts_.push_back(problem.what());
        } catch (...) {
            texts_.push_back("unknown");
        }
    }
    std::vector<std::string> texts() const {
        const std::lock_guard lock(mutex_);
        return texts_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> texts_;
};

class AsyncResult : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }

    Reports reports;
    mp::Pool pool{{.processes = 2, .error_handler = [this](std::exception_ptr error) { reports(error); }}};
};

// ---- waiting

TEST_F(AsyncResult, is_ready_when_the_task_has_ended) {
    auto result = pool.apply_async(waits, 7);
    EXPECT_FALSE(result.ready());
    EXPECT_FALSE(result.wait(0s));
    EXPECT_FALSE(result.wait(1ms));
    EXPECT_FALSE(result.ready());
    seen->gate.open();
    result.wait();
    EXPECT_TRUE(result.ready());
    EXPECT_TRUE(result.wait(0s));
    EXPECT_EQ(result.get(), 7);
}

TEST_F(AsyncResult, becomes_ready_though_nobody_waits) {
    auto result = pool.apply_async(twice, 7);
    EXPECT_TRUE(test::eventually([&] { return result.ready(); }));
    auto many = pool.map_async(twice, test::views::iota(0, 10'000));
    EXPECT_TRUE(test::eventually([&] { return many.ready(); }));
}

TEST_F(AsyncResult, get_that_is_too_early_throws_and_the_task_goes_on) {
    auto result = pool.apply_async(waits, 7);
    EXPECT_THROW(result.get(1ms), mp::TimeoutError);
    EXPECT_THROW(result.get(0s), mp::TimeoutError);
    EXPECT_THROW(result.get(-1s), mp::TimeoutError);
    seen->gate.open();
    EXPECT_EQ(result.get(test::patience), 7);
    EXPECT_EQ(result.get(0s), 7) << "it does not wait for what is there";
}

TEST_F(AsyncResult, waits_as_long_as_a_duration_can_say) {
    auto result = pool.apply_async(twice, 7);
    EXPECT_TRUE(result.wait(std::chrono::hours::max()));
    EXPECT_EQ(result.get(std::chrono::nanoseconds::max()), 14);
    EXPECT_EQ(result.get(std::chrono::duration<double>(1e300)), 14);
}

TEST_F(AsyncResult, a_map_can_be_waited_for_in_pieces) {
    auto result = pool.map_async(waits, test::views::iota(0, 4), {.chunksize = 1});
    EXPECT_THROW(result.get(1ms), mp::TimeoutError);
    seen->gate.open();
    EXPECT_EQ(result.get(test::patience), (std::vector{0, 1, 2, 3}));
}

TEST_F(AsyncResult, successful_tells_how_it_ended_but_not_before) {
    auto good = pool.apply_async(waits, 1);
    EXPECT_THROW(good.successful(), mp::Error);
    seen->gate.open();
    good.wait();
    EXPECT_TRUE(good.successful());
    auto bad = pool.apply_async(fails, 1);
    bad.wait();
    EXPECT_FALSE(bad.successful());
    auto partly = pool.map_async([](int i) { return i == 5 ? fails(i) : i; }, test::views::iota(0, 10));
    partly.wait();
    EXPECT_FALSE(partly.successful());
}

// ---- getting

TEST_F(AsyncResult, get_can_be_called_again) {
    auto result = pool.map_async(twice, test::views::iota(0, 3));
    const std::vector<int>& first = result.get();
    const std::vector<int>& second = result.get();
    EXPECT_EQ(first, (std::vector{0, 2, 4}));
    EXPECT_EQ(&first, &second) << "a kept handle keeps the result";
    const std::vector<int> moved = std::move(result).get();
    EXPECT_EQ(moved, (std::vector{0, 2, 4}));
}

TEST_F(AsyncResult, a_result_that_can_only_be_moved_is_got_once) {
    auto result = pool.apply_async([](int i) { return std::make_unique<int>(i); }, 5);
    static_assert(std::is_same_v<decltype(result.get()), std::unique_ptr<int>>);
    EXPECT_EQ(*result.get(), 5);
    EXPECT_THROW(result.get(), mp::Error);
    EXPECT_TRUE(result.ready());
}

TEST_F(AsyncResult, void_tasks_end_too) {
    auto result = pool.apply_async([] { ++seen->count; });
    static_assert(std::is_void_v<decltype(result.get())>);
    result.get();
    EXPECT_EQ(seen->count, 1);
    result.get();
    EXPECT_TRUE(result.successful());
}

TEST_F(AsyncResult, the_same_error_is_thrown_each_time) {
    auto result = pool.apply_async(fails, 3);
    const std::exception* thrown[2] = {};
    for (const std::exception*& one : thrown) {
        try {
            result.get();
            FAIL();
        } catch (const std::domain_error& error) {
            EXPECT_STREQ(error.what(), "3");
            one = &error;
        }
    }
    EXPECT_EQ(thrown[0], thrown[1]);
}

TEST_F(AsyncResult, can_be_moved_while_the_task_runs) {
    auto first = pool.apply_async(waits, 4);
    auto second = std::move(first);
    auto third = pool.apply_async(twice, 1);
    third = std::move(second);
    seen->gate.open();
    EXPECT_EQ(third.get(), 4);
}

TEST_F(AsyncResult, work_goes_on_when_the_handle_is_gone) {
    std::promise<int> called;
    pool.apply_async(waits, 4).callback([&](int value) { called.set_value(value); });
    seen->gate.open();
    auto told = called.get_future();
    ASSERT_EQ(told.wait_for(test::patience), std::future_status::ready);
    EXPECT_EQ(told.get(), 4);
    pool.close();
    pool.join();
    EXPECT_EQ(seen->count, 1);
}

TEST_F(AsyncResult, can_be_got_from_many_threads) {
    const auto check = [](auto& result, const auto& expected) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) threads.emplace_back([&] { EXPECT_EQ(result.get(), expected); });
        seen->gate.open();
        for (auto& thread : threads) thread.join();
    };
    auto one = pool.apply_async(waits, 4);
    check(one, 4);
    seen.reset();
    auto bits = pool.map_async([](int i) { return waits(i) % 2 == 0; }, test::views::iota(0, 3));
    check(bits, std::vector<bool>{true, false, true});
}

// ---- giving up

TEST_F(AsyncResult, cancelled_before_a_worker_has_it_does_not_run) {
    auto busy = pool.map_async(waits, test::views::iota(0, 2), {.chunksize = 1});
    auto waiting = pool.map_async([](int i) { return seen->count += 100, i; }, test::views::iota(0, 1000),
                                  {.chunksize = 1});
    EXPECT_TRUE(waiting.cancel());
    EXPECT_TRUE(waiting.ready());
    EXPECT_FALSE(waiting.successful());
    EXPECT_THROW(waiting.get(), mp::TaskCancelled);
    EXPECT_FALSE(waiting.cancel()) << "it has ended already";
    seen->gate.open();
    busy.get();
    pool.close();
    pool.join();
    EXPECT_LE(seen->count, 2 + 2 * 100) << "more than what waited in the workers";
}

TEST_F(AsyncResult, cancelled_while_it_runs_ends_at_once_for_the_caller) {
    auto running = pool.apply_async(waits, 0);
    EXPECT_TRUE(running.cancel());
    EXPECT_THROW(running.get(), mp::TaskCancelled);
    seen->gate.open();
    EXPECT_EQ(pool.map(twice, test::views::iota(0, 4), {.chunksize = 1}), (std::vector{0, 2, 4, 6}));
}

TEST_F(AsyncResult, cannot_be_cancelled_when_it_has_ended) {
    auto result = pool.apply_async(twice, 4);
    result.wait();
    EXPECT_FALSE(result.cancel());
    EXPECT_EQ(result.get(), 8);
}

TEST_F(AsyncResult, cancelling_calls_the_error_callback) {
    auto result = pool.apply_async(waits, 0);
    std::promise<std::string> told;
    result.callback([](int) { FAIL(); }).error_callback([&](std::exception_ptr error) {
        try {
            std::rethrow_exception(error);
        } catch (const mp::TaskCancelled&) {
            told.set_value("cancelled");
        } catch (...) {
            told.set_value("something else");
        }
    });
    EXPECT_TRUE(result.cancel());
    auto answer = told.get_future();
    ASSERT_EQ(answer.wait_for(test::patience), std::future_status::ready);
    EXPECT_EQ(answer.get(), "cancelled");
    seen->gate.open();
}

}  // namespace result_test
