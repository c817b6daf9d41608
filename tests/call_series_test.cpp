// SPDX-License-Identifier: MIT
// Single calls that travel together as one job: to its caller each of them is alone.
#include "procpool/detail/scheduler/call_series.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/call/call_series_of.hpp"
#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"

namespace call_series_test {

namespace mp = procpool;
namespace call = procpool::detail::call;
namespace scheduler = procpool::detail::scheduler;

/// So many calls that the last ones join a series.
constexpr int some = 20;
/// One of them that has others before and behind it.
constexpr int midst = 50;
constexpr int many = 3 * static_cast<int>(scheduler::call_series::most_calls) + 7;

struct shared_state {
    std::atomic<int> begun{0};
    std::atomic<long> held{0};
    test::gate gate;
};
test::shared<shared_state> state;

struct Pixel {
    float r, g, b;
    int twice() const { return static_cast<int>(2 * r); }
};

int twice(int i) { return 2 * i; }
int count(int i) {
    state->begun.fetch_add(1);
    return i;
}
int throws_at_odd(int i) {
    if (i % 2 == 1) throw std::domain_error("odd " + std::to_string(i));
    return i;
}
int dies_in_midst(int i) {
    if (i == midst) ::raise(SIGKILL);
    return i;
}
int waits_at_0(int i) {
    if (i == 0) {
        state->held.store(::getpid());
        state->gate.pass();
    }
    return count(i);
}
int waits_in_midst(int i) { return i == midst ? midst + waits_at_0(0) : count(i); }
int hangs_at_0(int i) {
    if (i == 0) {
        state->held.store(::getpid());
        for (;;) ::pause();
    }
    return count(i);
}
int hangs_in_midst(int i) { return i == midst ? hangs_at_0(0) : count(i); }
bool somebody_is_held() {
    return test::eventually([] { return state->held.load() != 0; });
}

class CallSeries : public testing::Test {
protected:
    CallSeries() { state.reset(); }

    /// Calls for 0, 1, 2 and so on.
    template <class F>
    static auto calls(mp::Pool& pool, F function, int number) {
        std::vector<mp::AsyncResult<int>> all;
        for (int i = 0; i < number; ++i) all.push_back(pool.apply_async(function, i));
        return all;
    }
    /// What is known to be quick is sent ahead, and together.
    template <class F>
    static void show_how_quick(mp::Pool& pool, F function) {
        for (int i = 0; i < 50; ++i) pool.apply(function, 1);
        state->begun = 0;
    }
};

// ---- each call has its own

TEST_F(CallSeries, of_any_length_gives_each_call_its_own_result) {
    mp::Pool pool(2);
    for (int round = 0; round < 3; ++round) {
        auto all = calls(pool, twice, many);
        for (int i = 0; i < many; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)].get(), 2 * i);
    }
}

TEST_F(CallSeries, can_be_got_in_any_order_and_again) {
    mp::Pool pool(2);
    auto all = calls(pool, twice, many);
    for (int i = many; i-- > 0;) ASSERT_EQ(all[static_cast<std::size_t>(i)].get(), 2 * i);
    const int& first = all[3].get();
    EXPECT_EQ(&first, &all[3].get());
    EXPECT_EQ(std::move(all[3]).get(), 6);
    EXPECT_THROW(all[3].get(), mp::Error) << "it was taken";
    EXPECT_EQ(all[4].get(), 8);
}

TEST_F(CallSeries, keeps_results_side_by_side) {
    mp::Pool pool(2);
    // Not in each round: somebody else may drive at any moment.
    EXPECT_TRUE(test::eventually([&] {
        auto all = calls(pool, twice, some);
        return &all[some - 2].get() + 1 == &all[some - 1].get();
    }));
}

TEST_F(CallSeries, of_different_functions_in_turns_are_not_mixed_up) {
    mp::Pool pool(2);
    std::vector<mp::AsyncResult<int>> numbers;
    std::vector<mp::AsyncResult<int>> reds;
    std::vector<mp::AsyncResult<bool>> answers;
    std::vector<mp::AsyncResult<Pixel>> pixels;
    std::vector<mp::AsyncResult<void>> nothings;
    std::vector<mp::AsyncResult<char>> letters;
    using function = int(int);
    function* const functions[] = {twice, count, [](int i) { return -i; }};
    constexpr int rounds = 15;
    const auto in_a_row = [](int round, auto call) {
        for (int i = some * round; i < some * (round + 1); ++i) call(i);
    };
    for (int round = 0; round < rounds; ++round) {
        in_a_row(round, [&](int i) { numbers.push_back(pool.apply_async(functions[round % 3], i)); });
        in_a_row(round,
                 [&](int i) { reds.push_back(pool.apply_async(&Pixel::twice, Pixel{float(i), 0, 0})); });
        in_a_row(round,
                 [&](int i) { answers.push_back(pool.apply_async([](int x) { return x % 7 == 0; }, i)); });
        in_a_row(round, [&](int i) {
            pixels.push_back(
                pool.apply_async([](float r, double g) { return Pixel{r, float(g), 0}; }, float(i), .5));
        });
        in_a_row(round, [&](int i) { nothings.push_back(pool.apply_async([](int x) { count(x); }, i)); });
        in_a_row(round, [&](int) { letters.push_back(pool.apply_async([] { return 'x'; })); });
    }
    for (int i = 0; i < some * rounds; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const int expected[] = {2 * i, i, -i};
        ASSERT_EQ(numbers[at].get(), expected[i / some % 3]);
        ASSERT_EQ(reds[at].get(), 2 * i);
        ASSERT_EQ(answers[at].get(), i % 7 == 0);
        ASSERT_EQ(pixels[at].get().r, float(i));
        ASSERT_EQ(pixels[at].get().g, .5f);
        ASSERT_EQ(letters[at].get(), 'x');
        nothings[at].get();
    }
    EXPECT_EQ(state->begun.load(), rounds / 3 * some + rounds * some);
}

TEST_F(CallSeries, runs_calls_in_the_order_in_which_they_were_made) {
    mp::Pool pool(1);
    auto first = pool.apply_async(waits_at_0, 0);
    const auto begun_before = [](int) { return state->begun.fetch_add(1); };
    const auto and_these = [](int) { return state->begun.fetch_add(1); };
    auto all = calls(pool, begun_before, many);
    for (auto& one : calls(pool, and_these, 100)) all.push_back(std::move(one));
    for (auto& one : calls(pool, begun_before, 100)) all.push_back(std::move(one));
    state->gate.open();
    for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i].get(), static_cast<int>(i) + 1);
}

TEST_F(CallSeries, does_not_share_a_callable_that_keeps_something) {
    mp::Pool pool(1);
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(pool.apply_async([n = 0](int) mutable { return ++n; }, i).get(), 1);
}

TEST_F(CallSeries, throws_for_each_call_its_own_error) {
    mp::Pool pool(2);
    auto all = calls(pool, throws_at_odd, 300);
    for (int i = 0; i < 300; ++i) {
        auto& one = all[static_cast<std::size_t>(i)];
        one.wait();
        ASSERT_EQ(one.successful(), i % 2 == 0);
        if (i % 2 == 0) {
            ASSERT_EQ(one.get(), i);
            continue;
        }
        try {
            one.get();
            FAIL() << i;
        } catch (const std::domain_error& error) {
            EXPECT_EQ(std::string(error.what()).find("odd " + std::to_string(i)), 0u) << error.what();
        }
    }
}

TEST_F(CallSeries, loses_one_call_where_a_worker_dies_in_it) {
    mp::Pool pool(2);
    show_how_quick(pool, dies_in_midst);
    auto all = calls(pool, dies_in_midst, many);
    for (int i = 0; i < many; ++i) {
        auto& one = all[static_cast<std::size_t>(i)];
        if (i != midst) {
            ASSERT_EQ(one.get(), i);
            continue;
        }
        try {
            one.get();
            ADD_FAILURE();
        } catch (const mp::WorkerDied& death) {
            EXPECT_EQ(death.signal(), SIGKILL);
            EXPECT_EQ(death.index(), 0u) << "it is a call by itself";
            EXPECT_NE(std::string(death.what()).find("f(50)"), std::string::npos) << death.what();
        }
    }
}

TEST_F(CallSeries, keeps_nobody_waiting_for_a_slow_call) {
    mp::Pool pool(2);
    show_how_quick(pool, waits_in_midst);
    auto all = calls(pool, waits_in_midst, 200);
    for (std::size_t i = 0; i < all.size(); ++i)
        if (i != midst) {
            ASSERT_EQ(all[i].get(), static_cast<int>(i));
        }
    EXPECT_FALSE(all[midst].ready());
    state->gate.open();
    EXPECT_EQ(all[midst].get(), midst);
}

struct address {
    const int* at;
};
int value_at(address a) { return a.at ? *a.at : 0; }

TEST_F(CallSeries, goes_on_after_arguments_that_cannot_be_sent) {
    static const int here = 4;
    mp::Pool pool(2);
    std::vector<mp::AsyncResult<int>> all;
    for (int i = 0; i < many; ++i)
        all.push_back(pool.apply_async(value_at, address{i % 3 == 2 ? &here : nullptr}));
    for (int i = 0; i < many; ++i) {
        auto& one = all[static_cast<std::size_t>(i)];
        if (i % 3 == 2)
            ASSERT_THROW(one.get(), mp::SerializationError);
        else
            ASSERT_EQ(one.get(), 0);
    }
}

TEST_F(CallSeries, is_made_by_many_threads_at_once) {
    mp::Pool pool(2);
    std::vector<std::future<bool>> threads;
    for (int t = 0; t < 4; ++t)
        threads.push_back(std::async(std::launch::async, [&pool, t] {
            for (int round = 0; round < 5; ++round) {
                auto all = calls(pool, t % 2 == 0 ? twice : count, 400);
                for (int i = 0; i < 400; ++i)
                    if (all[static_cast<std::size_t>(i)].get() != (t % 2 == 0 ? 2 * i : i)) return false;
            }
            return true;
        }));
    for (auto& thread : threads) EXPECT_TRUE(thread.get());
}

// ---- callbacks

TEST_F(CallSeries, runs_the_callback_of_a_call_while_others_are_not_done) {
    mp::Pool pool(2);
    auto all = calls(pool, waits_in_midst, 2 * midst);
    std::promise<int> told;
    all[midst - 1].callback([&](int value) { told.set_value(value); });
    auto value = told.get_future();
    ASSERT_EQ(value.wait_for(test::patience), std::future_status::ready);
    EXPECT_EQ(value.get(), midst - 1);
    EXPECT_FALSE(all[midst].ready());
    state->gate.open();
    EXPECT_EQ(all[midst].get(), midst);
}

TEST_F(CallSeries, has_run_the_callbacks_of_a_call_when_it_is_done) {
    mp::Pool pool(2);
    std::vector<int> told(many, -1);
    std::atomic<int> errors{0};
    auto all = calls(pool, throws_at_odd, many);
    for (int i = 0; i < many; ++i)
        all[static_cast<std::size_t>(i)]
            .callback([&, i](int value) { told[static_cast<std::size_t>(i)] = value; })
            .error_callback([&](const std::exception_ptr&) { errors.fetch_add(1); });
    for (int i = 0; i < many; ++i) {
        all[static_cast<std::size_t>(i)].wait();
        ASSERT_EQ(told[static_cast<std::size_t>(i)], i % 2 == 0 ? i : -1);
    }
    EXPECT_EQ(errors.load(), many / 2);
}

TEST_F(CallSeries, runs_callbacks_while_more_calls_are_made) {
    mp::Pool pool(2);
    std::atomic<int> told{0};
    for (int i = 0; i < many; ++i)
        pool.apply_async(twice, i).callback([&, i](int value) { told.fetch_add(value == 2 * i); });
    EXPECT_TRUE(test::eventually([&] { return told.load() == many; }));
}

TEST_F(CallSeries, that_fails_has_calls_that_are_done_each_by_itself) {
    std::optional<mp::Pool> pool(1);
    auto all = calls(*pool, hangs_at_0, some);
    std::atomic<int> told{0};
    all[10].error_callback([&](const std::exception_ptr&) {
        EXPECT_THROW(all[12].get(), mp::PoolTerminated);
        EXPECT_THROW(all[14].get(), mp::PoolTerminated);
        ++told;
    });
    all[14].error_callback([&](const std::exception_ptr&) { ++told; });
    ASSERT_TRUE(somebody_is_held());
    pool->terminate();
    all[10].wait();
    EXPECT_EQ(told.load(), 2);
}

// ---- the end

TEST_F(CallSeries, a_call_that_is_cancelled_does_not_run_and_others_do) {
    mp::Pool pool(1);
    show_how_quick(pool, waits_in_midst);
    auto all = calls(pool, waits_in_midst, 200);
    ASSERT_TRUE(somebody_is_held());
    for (std::size_t i = midst + 10; i < all.size(); i += 10) {
        EXPECT_TRUE(all[i].cancel());
        EXPECT_TRUE(all[i].ready());
        EXPECT_FALSE(all[i].cancel());
    }
    state->gate.open();
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i > midst && i % 10 == 0)
            EXPECT_THROW(all[i].get(), mp::TaskCancelled);
        else
            EXPECT_EQ(all[i].get(), static_cast<int>(i));
    }
    EXPECT_EQ(state->begun.load(), 200 - 14);
    EXPECT_FALSE(all[5].cancel());
}

TEST_F(CallSeries, a_call_that_is_cancelled_while_it_runs_is_ended_and_others_are_not) {
    mp::Pool pool(1);
    show_how_quick(pool, hangs_in_midst);
    auto all = calls(pool, hangs_in_midst, 200);
    std::atomic<bool> told{false};
    all[midst].error_callback([&](const std::exception_ptr&) { told = true; });
    ASSERT_TRUE(somebody_is_held());
    EXPECT_TRUE(all[midst].cancel());
    EXPECT_THROW(all[midst].get(), mp::TaskCancelled);
    EXPECT_TRUE(told.load());
    for (std::size_t i = 0; i < all.size(); ++i)
        if (i != midst) {
            ASSERT_EQ(all[i].get(), static_cast<int>(i));
        }
    EXPECT_TRUE(test::eventually([] { return test::look_at(state->held).state == 'X'; }));
    EXPECT_EQ(state->begun.load(), 199);
}

TEST_F(CallSeries, a_call_that_is_cancelled_before_its_worker_has_started_does_not_run) {
    mp::Pool pool(1, [] { waits_at_0(0); });
    auto all = calls(pool, count, some);
    ASSERT_TRUE(somebody_is_held());
    EXPECT_TRUE(all[10].cancel());
    EXPECT_TRUE(all[13].cancel());
    state->gate.open();
    EXPECT_EQ(all[12].get(), 12);
    EXPECT_EQ(all[some - 1].get(), some - 1);
    EXPECT_EQ(state->begun.load(), some - 2 + 1) << "all others and the initializer";
}

TEST_F(CallSeries, takes_no_call_after_close_and_join_waits_for_its_calls) {
    mp::Pool pool(2);
    auto all = calls(pool, count, many);
    pool.close();
    EXPECT_THROW((void)pool.apply_async(count, 1), mp::PoolNotRunning);
    pool.join();
    EXPECT_EQ(state->begun.load(), many);
    for (int i = 0; i < many; ++i) {
        ASSERT_TRUE(all[static_cast<std::size_t>(i)].ready());
        ASSERT_EQ(all[static_cast<std::size_t>(i)].get(), i);
    }
}

TEST_F(CallSeries, ends_with_its_pool_but_for_the_results_that_are_there) {
    mp::Pool pool(2);
    show_how_quick(pool, hangs_in_midst);
    auto all = calls(pool, hangs_in_midst, 2 * midst);
    all[midst - 1].wait();
    std::atomic<int> told{0};
    all[midst].error_callback([&](const std::exception_ptr&) { ++told; });
    ASSERT_TRUE(somebody_is_held());
    pool.terminate();
    EXPECT_THROW(all[midst].get(), mp::PoolTerminated);
    EXPECT_EQ(told.load(), 1);
    EXPECT_EQ(all[midst - 1].get(), midst - 1);
    EXPECT_THROW((void)pool.apply_async(hangs_at_0, 1), mp::PoolNotRunning);
}

TEST_F(CallSeries, outlives_its_pool_in_its_handles) {
    std::vector<mp::AsyncResult<int>> all;
    {
        mp::Pool pool(2);
        all = calls(pool, twice, 20);
        for (auto& one : all) one.wait();
    }
    for (int i = 0; i < 20; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)].get(), 2 * i);
}

// ---- the job itself

using series = call::call_series_of<int>;

TEST(CallSeriesJob, is_full_when_it_has_all_calls_that_it_has_room_for) {
    series job(scheduler::task_definition{});
    job.add_submitted(scheduler::call_series::most_calls - 1);
    EXPECT_FALSE(job.full());
    job.add_submitted(1);
    EXPECT_TRUE(job.full());
    struct large {
        char bytes[64];
    };
    call::call_series_of<large> of_large(scheduler::task_definition{});
    of_large.add_submitted(128);
    EXPECT_TRUE(of_large.full());
}

TEST(CallSeriesJob, a_result_that_comes_for_a_call_given_up_changes_nothing) {
    series job(scheduler::task_definition{});
    job.add_submitted(3);
    const int values[] = {10, 11, 12};
    EXPECT_TRUE(job.give_up(1, std::make_exception_ptr(mp::TaskCancelled("x")), 1));
    EXPECT_TRUE(job.call_done(1));
    EXPECT_TRUE(job.has_dropped(0, 3));
    EXPECT_FALSE(job.has_dropped(2, 1));
    EXPECT_TRUE(job.unwanted_since(1).has_value());
    EXPECT_FALSE(job.unwanted_since(0).has_value());
    job.accept(0, 3, sizeof(int), std::as_bytes(std::span(values)));
    EXPECT_FALSE(job.call_seen_done(0)) << "not before it is published";
    job.publish(0, 3);
    EXPECT_TRUE(job.has_all_results());
    EXPECT_TRUE(job.call_seen_done(0));
    EXPECT_EQ(job.value(0), 10);
    EXPECT_EQ(job.value(2), 12);
    EXPECT_THROW(std::rethrow_exception(job.error(1)), mp::TaskCancelled);
    EXPECT_FALSE(job.give_up(0, nullptr, 1)) << "its result is there";
}

TEST(CallSeriesJob, a_call_is_not_done_while_its_callbacks_run) {
    series job(scheduler::task_definition{});
    job.add_submitted(2);
    EXPECT_TRUE(job.add_call_callback(1, [] {}));
    job.publish(0, 2);
    EXPECT_TRUE(job.call_done(0));
    EXPECT_FALSE(job.call_done(1));
    EXPECT_FALSE(job.add_call_callback(1, [] {})) << "too late";
    const auto& due = job.due_callbacks();
    ASSERT_EQ(due.size(), 1u);
    due.front().when_they_ran();
    EXPECT_TRUE(job.call_seen_done(1));
}

TEST(CallSeriesJob, garbage_in_place_of_a_result_is_that_calls_error) {
    series job(scheduler::task_definition{});
    job.add_submitted(1);
    const std::byte bytes[2]{};
    job.accept(0, 1, sizeof bytes, bytes);
    job.publish(0, 1);
    EXPECT_THROW(std::rethrow_exception(job.error(0)), mp::SerializationError);
}

}  // namespace call_series_test
