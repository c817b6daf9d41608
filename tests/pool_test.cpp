// SPDX-License-Identifier: MIT
// Pool: how it is made, and the calls that take tasks.
#include "procpool/pool.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <numeric>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/message_of.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace pool_test {

namespace mp = test::tested;
using namespace std::chrono_literals;
using test::message_of;

long cube(long x) { return x * x * x; }
int add(int a, int b) { return a + b; }

/// What tasks of this file tell their test.
struct board {
    std::array<std::atomic<int>, 128> begun{};
    std::atomic<int> count{0};
    test::gate gate;
};
test::shared<board> seen;

class Pool : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

// ---- making one

TEST_F(Pool, has_cpu_count_workers_by_default) {
    mp::Pool pool;
    EXPECT_EQ(pool.size(), static_cast<std::size_t>(mp::cpu_count()));
}

TEST_F(Pool, starts_all_its_workers_at_once) {
    mp::Pool pool(3);
    EXPECT_EQ(pool.size(), 3u);
    // Each element waits for all others: it takes three workers to get through.
    const auto workers = pool.map(
        [](int) {
            ++seen->count;
            if (!test::eventually([] { return seen->count == 3; })) throw std::runtime_error("alone");
            return ::gettid();  // the process's own number in a worker process
        },
        test::views::iota(0, 3));
    EXPECT_EQ(std::set<int>(workers.begin(), workers.end()).size(), 3u);
    EXPECT_EQ(std::ranges::count(workers, ::gettid()), 0);
}

TEST_F(Pool, needs_at_least_one_worker) {
    EXPECT_THROW(mp::Pool(-1), std::invalid_argument);
    EXPECT_THROW(mp::Pool(-4), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = -1}), std::invalid_argument);
    EXPECT_THROW(mp::Pool(-1, [] {}), std::invalid_argument);
    const std::string text = message_of<std::invalid_argument>([] { mp::Pool pool(-1); });
    EXPECT_NE(text.find("Number of processes must be at least 1"), std::string::npos) << text;
}

TEST_F(Pool, maxtasksperchild_must_be_positive) {
    EXPECT_THROW(mp::Pool({.processes = 1, .maxtasksperchild = 0}), std::invalid_argument);
    const std::string text =
        message_of<std::invalid_argument>([] { mp::Pool pool({.processes = 1, .maxtasksperchild = -1}); });
    EXPECT_NE(text.find("maxtasksperchild"), std::string::npos) << text;
}

TEST_F(Pool, threads_of_other_pools_are_no_reason_to_refuse) {
    mp::Pool first(1);
    mp::Pool second(1);
    mp::Pool third(1);
    EXPECT_EQ(third.apply(cube, 2), 8);
}

// ---- one call

TEST_F(Pool, apply_calls_with_any_number_of_arguments) {
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply([] { return 42; }), 42);
    EXPECT_EQ(pool.apply(cube, 3), 27);
    EXPECT_EQ(pool.apply(add, 3, 4), 7);
    EXPECT_EQ(pool.apply([](int a, const std::string& b, double c) { return b + std::to_string(a + c); }, 1,
                         std::string("n"), 0.5),
              "n1.500000");
    static_assert(std::is_void_v<decltype(pool.apply([] {}))>);
    pool.apply([] {});
}

TEST_F(Pool, apply_takes_literals_and_views_as_strings) {
    mp::Pool pool(1);
    const auto length = [](const std::string& text) { return text.size(); };
    const std::string text = "four";
    EXPECT_EQ(pool.apply(length, "literal"), 7u);
#if PROCPOOL_TEST_PROCESSES
    EXPECT_EQ(pool.apply(length, std::string_view(text).substr(1)), 3u);
#endif
    EXPECT_EQ(pool.apply([](std::string_view view) { return view.size(); }, "literal"), 7u);
    EXPECT_EQ(pool.apply(length, text), 4u);
}

TEST_F(Pool, apply_takes_all_kinds_of_callables) {
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply([by = 5](int x) { return x * by; }, 4), 20);
    EXPECT_EQ(pool.apply(std::plus<>(), 4, 5), 9);
    EXPECT_EQ(pool.apply(&std::string::size, std::string("four")), 4u);
    EXPECT_EQ(pool.apply(mp::partial(add, 40), 2), 42);
    EXPECT_EQ(pool.apply([count = 0]() mutable { return ++count; }), 1);
}

TEST_F(Pool, apply_throws_what_the_task_threw) {
    mp::Pool pool(1);
    EXPECT_EQ(message_of<std::out_of_range>(
                  [&] { pool.apply([](int n) -> int { throw std::out_of_range(std::to_string(n)); }, 7); }),
              "7");
    EXPECT_EQ(pool.apply(cube, 2), 8);
}

TEST_F(Pool, apply_takes_options_first) {
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply({.retries = 2}, cube, 3), 27);
    EXPECT_EQ(pool.apply_async({.retries = 2}, add, 3, 4).get(), 7);
    EXPECT_EQ(pool.apply(mp::TaskOptions{}, cube, 3), 27);
    EXPECT_THROW(pool.apply({.retries = -1}, cube, 3), std::invalid_argument);
    EXPECT_THROW((void)pool.apply_async({.retries = -1}, cube, 3), std::invalid_argument);
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(Pool, retries_run_a_task_again_after_its_worker_died) {
    mp::Pool pool(1);
    const auto dies_twice = [] {
        if (++seen->count <= 2) ::_exit(1);
        return seen->count.load();
    };
    EXPECT_EQ(pool.apply({.retries = 2}, dies_twice), 3);
    seen->count = 0;
    EXPECT_THROW(pool.apply({.retries = 1}, dies_twice), mp::WorkerDied);
}
#endif

TEST_F(Pool, many_single_calls_run_at_the_same_time) {
    mp::Pool pool(2);
    std::vector<mp::AsyncResult<long>> results;
    for (int i = 0; i < 999; ++i) results.push_back(pool.apply_async(cube, i));
    for (int i = 0; i < 999; ++i) ASSERT_EQ(results[static_cast<std::size_t>(i)].get(), cube(i));
}

// ---- many calls

TEST_F(Pool, map_returns_results_in_input_order) {
    mp::Pool pool(2);
    const std::vector<long> results = pool.map(cube, test::views::iota(1, 1000));
    ASSERT_EQ(results.size(), 999u);
    for (std::size_t i = 0; i < results.size(); ++i) ASSERT_EQ(results[i], cube(static_cast<long>(i) + 1));
}

TEST_F(Pool, map_keeps_input_order_when_later_elements_finish_first) {
    mp::Pool pool(2);
    const auto later_first = [](int i) {
        if (i == 0) seen->gate.pass();
        if (i == 1) seen->gate.open();
        return i;
    };
    EXPECT_EQ(pool.map(later_first, test::views::iota(0, 2), {.chunksize = 1}), (std::vector{0, 1}));
}

TEST_F(Pool, starmap_unpacks_tuples_and_pairs) {
    mp::Pool pool(2);
    EXPECT_EQ(pool.starmap(add, std::vector<std::tuple<int, int>>{{1, 2}, {3, 4}}), (std::vector{3, 7}));
    EXPECT_EQ(pool.starmap(add, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}), (std::vector{3, 7}));
    EXPECT_EQ(pool.starmap([] { return 1; }, std::vector<std::tuple<>>(3)), (std::vector{1, 1, 1}));
    const auto join = [](const std::string& a, int b, char c) { return a + std::to_string(b) + c; };
    EXPECT_EQ(pool.starmap(join, std::vector<std::tuple<std::string, int, char>>{{"a", 1, 'x'}}),
              std::vector<std::string>{"a1x"});
}

TEST_F(Pool, async_maps_give_the_same_as_the_waiting_ones) {
    mp::Pool pool(2);
    auto mapped = pool.map_async(cube, test::views::iota(0, 100));
    auto unpacked = pool.starmap_async(add, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}});
    EXPECT_EQ(mapped.get(), pool.map(cube, test::views::iota(0, 100)));
    EXPECT_EQ(unpacked.get(), (std::vector{3, 7}));
}

TEST_F(Pool, async_maps_read_their_input_before_they_return) {
    mp::Pool pool(1);
    mp::AsyncResult<std::vector<long>> results = [&] {
        std::vector<long> input(5000);
        std::iota(input.begin(), input.end(), 0L);
        auto handle = pool.map_async(cube, input);
        std::ranges::fill(input, -1);
        return handle;
    }();
    EXPECT_EQ(results.get().at(4999), cube(4999));
}

TEST_F(Pool, map_waits_for_all_elements_and_then_throws_the_first_error) {
    mp::Pool pool(2);
    const auto third_is_bad = [](int i) {
        ++seen->count;
        if (i == 3) throw std::domain_error("three");
        return i;
    };
    EXPECT_EQ(message_of<std::domain_error>(
                  [&] { pool.map(third_is_bad, test::views::iota(0, 100), {.chunksize = 1}); }),
              "three");
    EXPECT_EQ(seen->count, 100) << "there is no fail-fast unless one asks for it";
}

TEST_F(Pool, try_map_gives_each_element_its_value_or_its_error) {
    mp::Pool pool(2);
    const auto odd_is_bad = [](int i) {
        if (i % 2 != 0) throw std::domain_error(std::to_string(i));
        return i * 10;
    };
    for (const std::ptrdiff_t chunk : {1, 3, 100}) {
        std::vector<mp::Outcome<int>> outcomes =
            pool.try_map(odd_is_bad, test::views::iota(0, 10), {.chunksize = chunk});
        ASSERT_EQ(outcomes.size(), 10u);
        for (std::size_t i = 0; i < 10; ++i) {
            ASSERT_EQ(outcomes[i].has_value(), i % 2 == 0) << i;
            if (i % 2 == 0)
                EXPECT_EQ(*outcomes[i], static_cast<int>(i) * 10);
            else
                EXPECT_EQ(message_of<std::domain_error>([&] { outcomes[i].value(); }), std::to_string(i));
        }
    }
}

TEST_F(Pool, try_starmap_and_void_tasks_have_outcomes_too) {
    mp::Pool pool(2);
    const auto quotients = pool.try_starmap(
        [](int a, int b) {
            if (b == 0) throw std::domain_error("division by zero");
            return a / b;
        },
        std::vector<std::pair<int, int>>{{6, 2}, {1, 0}});
    EXPECT_EQ(quotients.at(0).value(), 3);
    EXPECT_THROW(quotients.at(1).value(), std::domain_error);

    const std::vector<mp::Outcome<void>> outcomes = pool.try_map(
        [](int i) {
            if (i == 1) throw std::domain_error("one");
        },
        test::views::iota(0, 3));
    ASSERT_EQ(outcomes.size(), 3u);
    EXPECT_TRUE(outcomes[0].has_value());
    EXPECT_THROW(outcomes[1].value(), std::domain_error);
    EXPECT_NO_THROW(outcomes[2].value());
}

TEST_F(Pool, bad_options_are_refused_at_the_call_and_harm_nothing) {
    mp::Pool pool(1);
    const std::vector<int> input{1, 2, 3};
    for (const std::ptrdiff_t bad : {0, -1}) {
        EXPECT_THROW(pool.map(cube, input, {.chunksize = bad}), std::invalid_argument);
        EXPECT_THROW((void)pool.map_async(cube, input, {.chunksize = bad}), std::invalid_argument);
        EXPECT_THROW((void)pool.try_map(cube, input, {.chunksize = bad}), std::invalid_argument);
        EXPECT_THROW((void)pool.imap(cube, input, {.chunksize = bad}), std::invalid_argument);
        EXPECT_THROW((void)pool.imap(cube, input, {.buffersize = bad}), std::invalid_argument);
        EXPECT_THROW((void)pool.imap_unordered(cube, input, {.buffersize = bad}), std::invalid_argument);
    }
    EXPECT_THROW(pool.map(cube, input, {.retries = -1}), std::invalid_argument);
    EXPECT_THROW((void)pool.map_async(cube, input, {.retries = -1}), std::invalid_argument);
    EXPECT_THROW((void)pool.imap(cube, input, {.retries = -1}), std::invalid_argument);
    EXPECT_THROW(pool.map(cube, std::vector<int>{}, {.chunksize = 0}), std::invalid_argument);
    EXPECT_EQ(pool.map(cube, input), (std::vector<long>{1, 8, 27}));
    pool.close();
    pool.join();
}

}  // namespace pool_test
