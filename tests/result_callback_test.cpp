// SPDX-License-Identifier: MIT
// Callbacks of AsyncResult: when they run, where, and what may go on in them.
#include <gtest/gtest.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
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

namespace result_callback_test {

namespace mp = test::tested;

struct board {
    std::atomic<int> count{0};
    test::gate gate;
};
test::shared<board> seen;

int twice(int i) { return 2 * i; }
int fails(int i) { throw std::domain_error(std::to_string(i)); }
int waits(int i) {
    seen->gate.pass();
    ++seen->count;
    return i;
}

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& problem) {
        return problem.what();
    } catch (...) {
        return "no std::exception";
    }
}

/// What callbacks wrote, from whichever thread.
class Notes {
public:
    void add(std::string note) {
        const std::lock_guard lock(mutex_);
        notes_.push_back(std::move(note));
    }
    std::vector<std::string> all() const {
        const std::lock_guard lock(mutex_);
        return notes_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> notes_;
};

using notes = std::vector<std::string>;

class Callback : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }

    Notes seen_here;
    Notes reported;
    mp::Pool pool{{.processes = 2,
                   .error_handler = [this](std::exception_ptr error) { reported.add(text_of(error)); }}};
};

template <class T>
T value_of(std::future<T>& told) {
    if (told.wait_for(test::patience) != std::future_status::ready)
        throw std::runtime_error("no callback came");
    return told.get();
}

// ---- when and where

TEST_F(Callback, runs_though_nobody_waits_for_the_result) {
    std::promise<std::thread::id> where;
    auto result = pool.apply_async(waits, 1);
    result.callback([&](int) { where.set_value(std::this_thread::get_id()); });
    seen->gate.open();
    auto told = where.get_future();
    EXPECT_NE(value_of(told), std::this_thread::get_id());
}

TEST_F(Callback, has_run_when_get_returns) {
    for (int i = 0; i < 100; ++i) {
        std::atomic<int> value{0};
        auto result = pool.apply_async(twice, i);
        result.callback([&](int got) { value = got + 1; });
        const int got = result.get();
        ASSERT_EQ(value, got + 1);
    }
}

TEST_F(Callback, runs_before_the_result_counts_as_ready) {
    auto result = pool.apply_async(waits, 1);
    std::promise<bool> was_ready;
    result.callback([&](int) { was_ready.set_value(result.ready()); });
    seen->gate.open();
    auto told = was_ready.get_future();
    EXPECT_FALSE(value_of(told));
    result.wait();
}

TEST_F(Callback, runs_once_each_in_the_order_of_registration) {
    auto result = pool.apply_async(waits, 1);
    for (int i = 0; i < 5; ++i) result.callback([this, i](int) { seen_here.add(std::to_string(i)); });
    seen->gate.open();
    result.wait();
    EXPECT_EQ(seen_here.all(), (notes{"0", "1", "2", "3", "4"}));
}

TEST_F(Callback, runs_at_once_if_the_result_is_there) {
    auto result = pool.apply_async(twice, 4);
    result.wait();
    std::thread::id where;
    result.callback([&](int) { where = std::this_thread::get_id(); });
    EXPECT_EQ(where, std::this_thread::get_id());
}

TEST_F(Callback, of_a_map_gets_all_results_once) {
    int calls = 0;
    auto result = pool.map_async(twice, test::views::iota(0, 100), {.chunksize = 3});
    result.callback([&](const std::vector<int>& all) {
        ++calls;
        EXPECT_EQ(all.size(), 100u);
        EXPECT_EQ(all.back(), 198);
    });
    result.wait();
    EXPECT_EQ(calls, 1);
}

TEST_F(Callback, of_a_void_task_gets_nothing) {
    int calls = 0;
    pool.apply_async([] {}).callback([&] { ++calls; }).wait();
    EXPECT_EQ(calls, 1);
}

TEST_F(Callback, may_own_what_can_only_be_moved) {
    int got = 0;
    auto more = std::make_unique<int>(40);
    pool.apply_async(twice, 1)
        .callback([&got, more = std::move(more)](int value) { got = value + *more; })
        .wait();
    EXPECT_EQ(got, 42);
}

TEST_F(Callback, can_look_at_a_result_that_can_only_be_moved) {
    int got = 0;
    auto result = pool.apply_async([] { return std::make_unique<int>(3); });
    result.callback([&](const std::unique_ptr<int>& value) { got = *value; });
    EXPECT_EQ(*result.get(), 3);
    EXPECT_EQ(got, 3);
}

// ---- errors

TEST_F(Callback, is_for_values_and_error_callback_for_errors) {
    auto good = pool.apply_async(twice, 1);
    good.callback([&](int value) { seen_here.add("value " + std::to_string(value)); })
        .error_callback([&](std::exception_ptr error) { seen_here.add("error " + text_of(error)); });
    good.wait();
    auto bad = pool.apply_async(fails, 7);
    bad.callback([&](int value) { seen_here.add("value " + std::to_string(value)); })
        .error_callback([&](std::exception_ptr error) { seen_here.add("error " + text_of(error)); });
    bad.wait();
    EXPECT_EQ(seen_here.all(), (notes{"value 2", "error 7"}));
    std::vector<std::string> late;
    bad.error_callback([&](std::exception_ptr error) { late.push_back(text_of(error)); });
    EXPECT_EQ(late, notes{"7"});
}

TEST_F(Callback, for_errors_of_a_map_runs_once_after_all_elements) {
    auto result = pool.map_async(
        [](int i) {
            if (i == 0) throw std::domain_error("the first");
            ++seen->count;
        },
        test::views::iota(0, 100), {.chunksize = 1});
    result.error_callback([&](std::exception_ptr error) {
        seen_here.add(text_of(error) + " after " + std::to_string(seen->count));
    });
    result.wait();
    EXPECT_EQ(seen_here.all(), notes{"the first after 99"});
}

TEST_F(Callback, that_throws_tells_the_error_handler_and_nobody_else) {
    auto result = pool.apply_async(waits, 5);
    result.callback([](int) { throw std::domain_error("thrown by a callback"); })
        .callback([](int) { throw 42; })
        .callback([&](int value) { seen_here.add(std::to_string(value)); });
    seen->gate.open();
    EXPECT_EQ(result.get(), 5);
    EXPECT_EQ(seen_here.all(), notes{"5"});
    EXPECT_EQ(reported.all(), (notes{"thrown by a callback", "no std::exception"}));
    EXPECT_NO_THROW(result.callback([](int) { throw std::domain_error("late"); }))
        << "also if it runs at once";
    EXPECT_EQ(reported.all().back(), "late");
    EXPECT_EQ(pool.apply(twice, 4), 8);
}

TEST_F(Callback, that_throws_is_reported_on_standard_error_by_default) {
    testing::internal::CaptureStderr();
    mp::Pool plain(1);
    plain.apply_async(twice, 1).callback([](int) { throw std::domain_error("lost its way"); }).wait();
    mp::Pool broken(
        {.processes = 1, .error_handler = [](std::exception_ptr) { throw std::domain_error("worse"); }});
    broken.apply_async(twice, 1).callback([](int) { throw 42; }).wait();
    const std::string output = testing::internal::GetCapturedStderr();
    EXPECT_NE(output.find("lost its way"), std::string::npos) << output;
    EXPECT_NE(output.find("worse"), std::string::npos) << output;
}

// ---- what may go on in one

TEST_F(Callback, may_call_the_pool) {
    std::promise<int> told;
    auto result = pool.apply_async(waits, 5);
    result.callback([&](int value) {
        const std::vector<int> more = pool.map(twice, test::views::iota(0, value));
        told.set_value(pool.apply(twice, more.back()));
    });
    seen->gate.open();
    auto answer = told.get_future();
    EXPECT_EQ(value_of(answer), 16);
}

TEST_F(Callback, may_start_the_next_call_whose_callback_starts_the_next) {
    std::promise<int> told;
    std::function<void(int)> next = [&](int value) {
        if (value >= 1000)
            told.set_value(value);
        else
            pool.apply_async(twice, value).callback(next);
    };
    pool.apply_async(twice, 1).callback(next);
    auto answer = told.get_future();
    EXPECT_EQ(value_of(answer), 1024);
}

TEST_F(Callback, may_wait_for_other_results) {
    auto other = pool.apply_async(waits, 9);
    std::promise<int> told;
    pool.apply_async(twice, 1).callback([&](int) {
        seen->gate.open();
        told.set_value(other.get());
    });
    auto answer = told.get_future();
    EXPECT_EQ(value_of(answer), 9);
}

TEST_F(Callback, still_running_keeps_those_waiting_who_come_meanwhile_and_no_longer) {
    for (int round = 0; round < 20; ++round) {
        seen.reset();
        test::gate gate;
        std::promise<void> entered;
        auto result = pool.apply_async(waits, 1);
        result.callback([&](int) {
            entered.set_value();
            gate.pass();
        });
        seen->gate.open();
        auto told = entered.get_future();
        value_of(told);
        auto waiter = std::async(std::launch::async, [&] { return result.wait(test::patience); });
        EXPECT_EQ(pool.apply(twice, round), 2 * round) << "other calls go on";
        EXPECT_FALSE(result.ready());
        gate.open();
        ASSERT_EQ(waiter.wait_for(test::patience / 2), std::future_status::ready);
        EXPECT_TRUE(waiter.get());
    }
}

TEST_F(Callback, may_close_the_pool) {
    std::promise<void> closed;
    auto result = pool.apply_async(waits, 1);
    result.callback([&](int) {
        pool.close();
        closed.set_value();
    });
    seen->gate.open();
    auto told = closed.get_future();
    value_of(told);
    EXPECT_THROW(pool.apply(twice, 1), mp::PoolNotRunning);
    pool.join();
    EXPECT_EQ(result.get(), 1);
}

TEST_F(Callback, run_by_the_destructor_may_use_the_pool) {
    bool closed = false;
    {
        mp::Pool own({.processes = 1,
                      .error_handler = [this](std::exception_ptr error) { reported.add(text_of(error)); }});
        auto running = own.apply_async(waits, 1);
        auto queued = own.apply_async(twice, 1);
        queued.error_callback([&](std::exception_ptr) {
            own.close();
#if PROCPOOL_TEST_PROCESSES
            EXPECT_EQ(own.workers().size(), 1u);
#endif
            closed = true;
            seen->gate.open();  // a thread would wait there for ever
        });
    }
    EXPECT_TRUE(closed);
    EXPECT_EQ(reported.all(), notes{});
}

TEST_F(Callback, may_not_join_the_pool) {
    auto result = pool.apply_async(waits, 1);
    result.callback([&](int) {
        pool.close();
        pool.join();
    });
    seen->gate.open();
    EXPECT_EQ(result.get(), 1);
    ASSERT_EQ(reported.all().size(), 1u);
    EXPECT_NE(reported.all()[0].find("join"), std::string::npos) << reported.all()[0];
    pool.join();
}

TEST_F(Callback, may_terminate_the_pool_while_another_thread_does) {
    for (int round = 0; round < 20; ++round) {
        seen.reset();
        mp::Pool own(2);
        std::promise<void> entered;
        auto result = own.apply_async(waits, 1);
        result.callback([&](int) {
            entered.set_value();
            const auto is_closed = [&] {
                try {
                    (void)own.apply_async(twice, 1);
                    return false;
                } catch (const mp::PoolNotRunning&) {
                    return true;
                } catch (const mp::PoolTerminated&) {
                    return true;
                }
            };
            EXPECT_TRUE(test::eventually(is_closed));
            own.terminate();
        });
        seen->gate.open();
        auto told = entered.get_future();
        value_of(told);
        own.terminate();
        EXPECT_EQ(result.get(), 1);
    }
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(Callback, may_terminate_the_pool) {
    for (const bool waited_for : {true, false}) {
        seen.reset();
        mp::Pool own(2);
        std::promise<void> told;
        auto never = own.apply_async([] {
            for (;;) ::pause();
        });
        auto result = own.apply_async(waits, 1);
        result.callback([&](int) {
            own.terminate();
            told.set_value();
        });
        seen->gate.open();
        if (waited_for) {
            EXPECT_EQ(result.get(), 1);
        }
        auto answer = told.get_future();
        value_of(answer);
        EXPECT_THROW(never.get(), mp::PoolTerminated);
        own.join();
    }
}
#endif

TEST_F(Callback, joining_waits_for_callbacks) {
    std::atomic<bool> ended{false};
    test::gate gate;
    auto result = pool.apply_async(waits, 1);
    result.callback([&](int) {
        gate.pass();
        ended = true;
    });
    seen->gate.open();
    pool.close();
    std::thread opener([&] { gate.open(); });
    pool.join();
    EXPECT_TRUE(ended);
    opener.join();
}

}  // namespace result_callback_test
