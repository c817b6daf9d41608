// SPDX-License-Identifier: MIT
// ThreadPool: what it does otherwise than Pool.
#include "procpool/thread_pool.hpp"

#include <gtest/gtest.h>
#include <cereal/types/memory.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/message_of.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace thread_pool_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::message_of;

std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// A value that can only be moved.
using box = std::unique_ptr<int>;

// ---- what tasks may be

TEST(ThreadPool, takes_callables_that_no_process_could_get) {
    mp::ThreadPool pool(2);
    std::atomic<int> sum{0};
    pool.map([&](int i) { sum += i; }, numbers(100));
    EXPECT_EQ(sum, 4950);
    const std::function<int(int)> function = [text = std::string("four")](int i) {
        return static_cast<int>(text.size()) + i;
    };
    EXPECT_EQ(pool.apply(function, 1), 5);
    EXPECT_EQ(pool.map_async(function, numbers(2)).get(), (std::vector{4, 5}));
    EXPECT_EQ(pool.apply_async([kept = std::make_unique<int>(7)] { return *kept; }).get(), 7);
    const auto only_moves = [kept = std::make_unique<int>(7)](int i) { return *kept * i; };
    EXPECT_EQ(pool.map(only_moves, numbers(3)), (std::vector{0, 7, 14})) << "and stays where it is";
    EXPECT_EQ(*pool.imap([kept = std::make_unique<int>(2)](int i) { return *kept + i; }, numbers(3)).next(),
              2);
}

TEST(ThreadPool, calls_a_function_that_changes_itself_as_a_copy_for_each_chunk) {
    mp::ThreadPool pool(2);
    auto counts = [count = 0](int) mutable { return ++count; };
    EXPECT_EQ(pool.map(counts, numbers(6), {.chunksize = 3}), (std::vector{1, 2, 3, 1, 2, 3}));
    EXPECT_EQ(counts(0), 1) << "the caller's own stays as it was";
}

// ---- what they get

TEST(ThreadPool, a_task_may_change_the_elements_where_they_are) {
    mp::ThreadPool pool(2);
    std::vector<int> vector = numbers(1000);
    pool.map([](int& i) { i *= 2; }, vector);
    EXPECT_EQ(vector[999], 1998);
    std::list<std::string> list{"a", "b"};
    pool.map([](auto& text) { text += "!"; }, list);
    EXPECT_EQ(list, (std::list<std::string>{"a!", "b!"}));
    std::vector<std::pair<int, int>> pairs{{1, 2}, {3, 4}};
    pool.starmap([](int& a, int b) { a += b; }, pairs);
    EXPECT_EQ(pairs, (std::vector<std::pair<int, int>>{{3, 2}, {7, 4}}));
    for (auto results = pool.imap([](int& i) { i = -1; }, vector, {.chunksize = 10}); results.next();) {
    }
    EXPECT_EQ(vector, std::vector(1000, -1));
    pool.map_async([](int& i) { i = 5; }, vector).get();
    EXPECT_EQ(vector, std::vector(1000, 5));
    int one = 1;
    pool.apply([](int& i) { ++i; }, one);
    pool.apply_async([](int& i) { ++i; }, std::ref(one)).get();
    EXPECT_EQ(one, 3);
}

TEST(ThreadPool, elements_and_results_are_not_copied_where_the_caller_waits) {
    struct counted {
        std::shared_ptr<std::atomic<int>> copies = std::make_shared<std::atomic<int>>(0);
        counted() = default;
        counted(const counted& other) : copies(other.copies) { ++*copies; }
        counted(counted&&) = default;
        counted& operator=(counted&&) = default;
    };
    mp::ThreadPool pool(2);
    const std::vector<counted> input(4);
    const auto same = [](const counted& one) { return one.copies.get(); };
    std::vector<std::atomic<int>*> expected;
    for (const counted& one : input) expected.push_back(one.copies.get());
    EXPECT_EQ(pool.map(same, input), expected);
    int pulled = 0;
    for (auto results = pool.imap(same, input); results.next();) ++pulled;
    EXPECT_EQ(pulled, 4);
    pool.apply(same, input[0]);
    for (const counted& one : input) EXPECT_EQ(*one.copies, 0);
    pool.map_async(same, input).get();
    for (const counted& one : input) EXPECT_EQ(*one.copies, 1) << "it may be gone when its task runs";
}

TEST(ThreadPool, what_can_only_be_moved_is_moved_out_of_what_the_call_was_given) {
    mp::ThreadPool pool(2);
    const auto made = [](int i) { return std::make_unique<int>(i); };
    const auto taken = [](box value) { return *value; };
    EXPECT_EQ(pool.map(taken, pool.map(made, numbers(3))), (std::vector{0, 1, 2}));
    EXPECT_EQ(pool.map_async(taken, pool.map(made, numbers(3))).get(), (std::vector{0, 1, 2}));
    EXPECT_EQ(*pool.imap(taken, pool.map(made, numbers(3))).next(), 0);
    EXPECT_EQ(pool.apply(taken, std::make_unique<int>(9)), 9);
    EXPECT_EQ(pool.apply_async(taken, std::make_unique<int>(9)).get(), 9);
}

TEST(ThreadPool, a_copy_that_throws_costs_its_element) {
    struct fussy {
        int number = 0;
        explicit fussy(int i) : number(i) {}
        fussy(const fussy& other) : number(other.number) {
            if (number == 2) throw std::domain_error("not me");
        }
        fussy(fussy&&) = default;
    };
    std::vector<fussy> input;
    input.reserve(4);
    for (int i = 0; i < 4; ++i) input.emplace_back(i);
    mp::ThreadPool pool(2);
    std::atomic<int> run{0};
    const auto task = [&](const fussy&) { ++run; };
    EXPECT_THROW(pool.map_async(task, input).get(), std::domain_error);
    EXPECT_EQ(run, 3);
}

// ---- errors

TEST(ThreadPool, an_error_is_the_very_object_that_was_thrown) {
    struct own_error : std::runtime_error {
        explicit own_error(const void* place) : std::runtime_error("own"), self(place) {}
        const void* self;
    };
    mp::ThreadPool pool(2);
    std::atomic<const void*> thrown{nullptr};
    const auto task = [&](int) {
        try {
            throw own_error(nullptr);
        } catch (const own_error& error) {
            thrown = &error;
            throw;
        }
    };
    try {
        pool.map(task, numbers(1));
        FAIL();
    } catch (const own_error& error) {
        EXPECT_EQ(&error, thrown);
        EXPECT_NO_THROW(std::rethrow_if_nested(error));
    }
    EXPECT_THROW(pool.apply([] { throw 5; }), int) << "of any type";
}

TEST(ThreadPool, retries_are_for_exceptions_if_one_asks_for_it) {
    mp::ThreadPool pool(1);
    int attempts = 0;
    const auto third_time = [&](const std::string& text) {
        if (++attempts < 3) throw std::domain_error("again");
        return text;
    };
    EXPECT_EQ(pool.apply({.retries = 2, .retry_exceptions = true}, third_time, std::string("text")), "text");
    attempts = 0;
    const std::vector<std::string> input{"text"};
    EXPECT_EQ(pool.map(third_time, input, {.retries = 2, .retry_exceptions = true}), input);
    attempts = 0;
    EXPECT_THROW(pool.map(third_time, input, {.retries = 1, .retry_exceptions = true}), std::domain_error);
    EXPECT_EQ(attempts, 2);
    attempts = 0;
    EXPECT_THROW(pool.map(third_time, input, {.retries = 2}), std::domain_error);
    EXPECT_EQ(attempts, 1);
    const auto takes = [](box) {};
    EXPECT_THROW(pool.apply({.retries = 1, .retry_exceptions = true}, takes, std::make_unique<int>(1)),
                 std::invalid_argument);
}

// ---- what threads can't keep

TEST(ThreadPool, refuses_what_threads_cannot_keep) {
    const auto refused = [](mp::PoolOptions options) {
        return message_of<std::invalid_argument>([&] { mp::ThreadPool pool(std::move(options)); });
    };
    EXPECT_NE(refused({.processes = 1, .maxtasksperchild = 5}).find("maxtasksperchild"), std::string::npos);
    EXPECT_NE(refused({.processes = 1, .initializer_timeout = 1s}).find("initializer_timeout"),
              std::string::npos);
    EXPECT_NE(refused({.processes = 1, .limits = {.memory = 1u << 30}}).find("memory"), std::string::npos);
    EXPECT_NE(refused({.processes = 1, .output = mp::worker_output::lines}).find("output"),
              std::string::npos);
    mp::ThreadPool pool({.processes = 1,
                         .start_method = mp::start_method::spawn,
                         .terminate_grace = 1ms,
                         .restart_limit = 1,
                         .limits = {.pin_to_cpu = true},
                         .arena_limit = 1,
                         .stderr_tail = 100});
    EXPECT_NE(message_of<std::invalid_argument>([&] { pool.apply({.timeout = 1s}, [] {}); }).find("timeout"),
              std::string::npos);
    EXPECT_THROW(pool.map([](int) {}, numbers(1), {.timeout = 1s}), std::invalid_argument);
    EXPECT_THROW((void)pool.imap([](int) {}, numbers(1), {.timeout = 1s}), std::invalid_argument);
    EXPECT_EQ(pool.apply([] { return 1; }), 1) << "and goes on";
}

// ---- giving up

TEST(ThreadPool, cancel_lets_the_running_end_and_drops_the_rest) {
    mp::ThreadPool pool(2);
    test::gate gate;
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    auto result = pool.map_async(
        [&](int) {
            ++begun;
            gate.pass();
            ++ended;
        },
        numbers(100));
    ASSERT_TRUE(test::eventually([&] { return begun == 2; }));
    EXPECT_TRUE(result.cancel());
    EXPECT_THROW(result.get(), mp::TaskCancelled) << "at once";
    EXPECT_EQ(ended, 0);
    gate.open();
    pool.close();
    pool.join();
    EXPECT_EQ(begun, 2) << "not even the rest of the chunks that were begun";
    EXPECT_EQ(ended, 2);
}

TEST(ThreadPool, a_call_that_waits_returns_when_nothing_of_it_runs_any_more) {
    mp::ThreadPool pool(2);
    test::gate gate;
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    std::stop_source stop;
    auto caller = std::async(std::launch::async, [&] {
        EXPECT_THROW(pool.map(
                         [&](int) {
                             ++begun;
                             gate.pass();
                             ++ended;
                         },
                         numbers(100), {.chunksize = 1, .stop = stop.get_token()}),
                     mp::TaskCancelled);
        return ended.load();
    });
    ASSERT_TRUE(test::eventually([&] { return begun == 2; }));
    stop.request_stop();
    EXPECT_EQ(caller.wait_for(1ms), std::future_status::timeout);
    gate.open();
    EXPECT_EQ(caller.get(), 2);
    EXPECT_EQ(begun, 2);
}

TEST(ThreadPool, a_stream_that_is_left_waits_for_the_tasks_that_use_its_input) {
    mp::ThreadPool pool(2);
    std::atomic<int> running{0};
    std::vector<std::string> input(100, "text");
    {
        auto results = pool.imap(
            [&](std::string& text) {
                ++running;
                text += "!";
                --running;
            },
            input);
        results.next();
    }
    EXPECT_EQ(running, 0);
}

TEST(ThreadPool, fail_fast_drops_what_has_not_begun) {
    mp::ThreadPool pool(1);
    std::atomic<int> begun{0};
    const auto second_fails = [&](int i) {
        ++begun;
        if (i == 1) throw std::domain_error("one");
        return i;
    };
    EXPECT_THROW(pool.map(second_fails, numbers(100), {.fail_fast = true}), std::domain_error);
    EXPECT_EQ(begun, 2);
    const auto outcomes = pool.try_map(second_fails, numbers(100), {.chunksize = 10, .fail_fast = true});
    EXPECT_EQ(outcomes.at(0).value(), 0);
    EXPECT_THROW(outcomes.at(1).value(), std::domain_error);
    EXPECT_THROW(outcomes.at(2).value(), mp::TaskCancelled);
    EXPECT_THROW(outcomes.at(99).value(), mp::TaskCancelled);
}

// ---- the end

TEST(ThreadPool, terminating_ends_pending_results_at_once_and_waits_for_running_tasks) {
    mp::ThreadPool pool(1);
    test::gate gate;
    std::atomic<bool> begun{false};
    std::atomic<bool> ended{false};
    auto running = pool.apply_async([&] {
        begun = true;
        gate.pass();
        ended = true;
    });
    auto queued = pool.apply_async([] {});
    ASSERT_TRUE(test::eventually([&] { return begun.load(); }));
    std::thread terminator([&] { pool.terminate(); });
    EXPECT_THROW(running.get(), mp::PoolTerminated);
    EXPECT_THROW(queued.get(), mp::PoolTerminated);
    EXPECT_FALSE(ended);
    gate.open();
    terminator.join();
    EXPECT_TRUE(ended);
    EXPECT_THROW(pool.apply([] {}), mp::PoolNotRunning);
}

TEST(ThreadPool, a_task_and_a_callback_may_end_the_pool_that_runs_them) {
    {
        mp::ThreadPool pool(2);
        EXPECT_THROW(pool.apply([&] { pool.terminate(); }), mp::PoolTerminated);
        pool.join();
    }
    {
        auto pool = std::make_unique<mp::ThreadPool>(2);
        std::promise<void> gone;
        test::gate gate;
        pool->apply_async([&] { gate.pass(); }).callback([&] {
            pool.reset();
            gone.set_value();
        });
        gate.open();
        gone.get_future().wait();
    }
    mp::ThreadPool pool(1);
    EXPECT_THROW(pool.apply([&] {
        pool.close();
        pool.join();
    }),
                 mp::Error);
    pool.join();
}

TEST(ThreadPool, results_outlive_it) {
    std::optional<mp::ThreadPool> pool(1);
    auto result = pool->apply_async([] { return std::string("text"); });
    result.wait();
    pool.reset();
    EXPECT_EQ(result.get(), "text");
}

TEST(ThreadPool, may_be_destroyed_by_another_thread_or_by_an_assignment) {
    auto pool = std::make_unique<mp::ThreadPool>(1);
    auto pending = pool->apply_async([] { return 1; });
    std::thread([&] { pool.reset(); }).join();
    try {
        EXPECT_EQ(pending.get(), 1);
    } catch (const mp::PoolTerminated&) {  // it came too late
    }
    mp::ThreadPool assigned(1);
    assigned = mp::ThreadPool(3);
    EXPECT_EQ(assigned.size(), 3u);
    mp::ThreadPool other(std::move(assigned));
    EXPECT_THROW(assigned.apply([] {}), mp::PoolNotRunning);
    other.swap(assigned);
    EXPECT_EQ(assigned.apply([] { return 1; }), 1);
}

TEST(ThreadPool, a_stream_yields_what_is_finished_though_the_rest_of_its_chunk_is_not) {
    mp::ThreadPool pool(1);
    test::gate gate;
    auto results = pool.imap(
        [&](int i) {
            if (i == 1) gate.pass();
            return i;
        },
        numbers(2), {.chunksize = 2});
    EXPECT_EQ(results.next(test::patience), 0);
    gate.open();
    EXPECT_EQ(results.next(), 1);
}

TEST(ThreadPool, lets_go_of_what_a_call_was_given_when_it_is_over) {
    mp::ThreadPool pool(2);
    const auto kept = std::make_shared<int>(5);
    EXPECT_EQ(pool.apply_async([kept] { return *kept; }).get(), 5);
    pool.map_async([](const std::shared_ptr<int>& one) { return *one; }, std::vector(100, kept)).get();
    EXPECT_TRUE(test::eventually([&] { return kept.use_count() == 1; }));
}

// ---- its threads

TEST(ThreadPool, a_task_may_wait_for_its_own_pool) {
    mp::ThreadPool pool(2);
    const std::function<int(int)> sum_of_squares = [&](int depth) -> int {
        if (depth == 0) return 1;
        const auto parts = pool.map(sum_of_squares, std::vector(3, depth - 1), {.chunksize = 1});
        return std::accumulate(parts.begin(), parts.end(), 0);
    };
    EXPECT_EQ(pool.apply(sum_of_squares, 4), 81);
    EXPECT_EQ(pool.apply([&] {
        int sum = 0;
        for (const int i : pool.imap([](int x) { return x; }, numbers(100))) sum += i;
        return sum + pool.apply_async([] { return 1; }).get();
    }),
              4951);
}

TEST(ThreadPool, workers_have_numbers_and_seeds_of_their_own) {
    mp::ThreadPool pool(3);
    std::atomic<int> here{0};
    const auto who = pool.map(
        [&](int) {
            ++here;
            EXPECT_TRUE(test::eventually([&] { return here == 3; }));
            return std::pair(mp::worker_index().value(), mp::worker_seed());
        },
        numbers(3), {.chunksize = 1});
    std::set<std::uint32_t> indices;
    std::set<std::uint64_t> seeds;
    for (const auto& [index, seed] : who) {
        indices.insert(index);
        seeds.insert(seed);
    }
    EXPECT_EQ(indices, (std::set<std::uint32_t>{0, 1, 2}));
    EXPECT_EQ(seeds.size(), 3u);
    EXPECT_EQ(mp::worker_index(), std::nullopt);
}

TEST(ThreadPool, the_initializer_runs_in_each_thread_before_its_first_task) {
    thread_local int value = 0;
    std::atomic<int> calls{0};
    mp::ThreadPool pool(
        2,
        [](std::atomic<int>& count, const std::string& text) {
            ++count;
            value = static_cast<int>(text.size());
        },
        std::ref(calls), "four");
    EXPECT_EQ(pool.map([](int) { return value; }, numbers(100), {.chunksize = 1}), std::vector(100, 4));
    EXPECT_TRUE(test::eventually([&] { return calls == 2; }));
}

TEST(ThreadPool, a_failing_initializer_ends_every_call_with_its_error) {
    mp::ThreadPool pool(2, [] { throw std::domain_error("unfit"); });
    EXPECT_EQ(message_of<std::domain_error>([&] { pool.apply([] {}); }), "unfit");
    EXPECT_EQ(message_of<std::domain_error>([&] { pool.map([](int) {}, numbers(10)); }), "unfit");
    pool.close();
    pool.join();
}

TEST(ThreadPool, many_threads_use_one_at_the_same_time) {
    mp::ThreadPool pool(2);
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < 4; ++caller)
        callers.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                EXPECT_EQ(pool.apply([i] { return i; }), i);
                EXPECT_EQ(pool.map([](int x) { return x + 1; }, numbers(20)).back(), 20);
            }
        });
}

TEST(ThreadPool, an_input_is_pulled_by_the_calling_thread_and_no_further_than_needed) {
    mp::ThreadPool pool(2);
    const auto here = std::this_thread::get_id();
    int pulled = 0;
    const auto endless = test::views::iota(0) | test::views::transform([&](int i) {
                             EXPECT_EQ(std::this_thread::get_id(), here);
                             ++pulled;
                             return i;
                         });
    auto results = pool.imap([](int i) { return i; }, endless, {.buffersize = 10});
    for (int i = 0; i < 100; ++i) ASSERT_EQ(results.next(), i);
    EXPECT_LE(pulled, 110);
}

}  // namespace thread_pool_test
