// SPDX-License-Identifier: MIT
// Parallel and delayed, after joblib.
#include "procpool/parallel.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/message_of.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace parallel_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> begun{0};
    test::gate gate;
};
test::shared<board> seen;

long cube(long x) { return x * x * x; }
int count(int i) {
    ++seen->begun;
    return i;
}
int fails_at_3(int i) {
    if (i == 3) throw std::domain_error("three");
    return count(i);
}
int times(int a, int b) { return a * b; }
int waits(int i) {
    seen->gate.pass();
    return i;
}

template <class Prefer>
class ParallelFor : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    Prefer where{};
};
#if PROCPOOL_TEST_PROCESSES
using preferences = testing::Types<mp::prefer::processes_t>;
#else
using preferences = testing::Types<mp::prefer::threads_t>;
#endif
TYPED_TEST_SUITE(ParallelFor, preferences, );

TYPED_TEST(ParallelFor, each_element_is_a_vector_in_input_order) {
    const auto cubes = mp::Parallel(3, this->where)(test::views::iota(1, 1000) | mp::delayed(cube));
    static_assert(std::is_same_v<decltype(cubes), const std::vector<long>>);
    ASSERT_EQ(cubes.size(), 999u);
    EXPECT_EQ(cubes.front(), 1);
    EXPECT_EQ(cubes.back(), 997002999);
    const std::vector words{std::string("a"), std::string("bc")};
    const auto sizes = mp::Parallel(1, this->where, {.batch_size = 2})(
        words | mp::delayed([](const std::string& word) { return word.size(); }));
    EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2}));
}

TYPED_TEST(ParallelFor, tuples_are_arguments_unless_the_function_takes_tuples) {
    mp::Parallel parallel(2, this->where);
    const std::vector<std::pair<int, int>> pairs{{1, 2}, {3, 4}};
    EXPECT_EQ(parallel(pairs | mp::delayed(times)), (std::vector{2, 12}));
    EXPECT_EQ(parallel(pairs | mp::delayed([](std::pair<int, int> both) { return both.second; })),
              (std::vector{2, 4}));
    EXPECT_EQ(parallel(std::vector{std::tuple(1, 2)} | mp::delayed([](auto a, auto b) { return a + b; })),
              std::vector{3});
}

TYPED_TEST(ParallelFor, calls_can_be_given_one_by_one) {
    const std::vector calls{mp::delayed(times)(2, 3), mp::delayed(times)(4, 5)};
    EXPECT_EQ(mp::Parallel(2, this->where)(calls), (std::vector{6, 20}));
    std::vector<int> products;
    for (const int x : mp::Parallel(2, this->where, mp::return_as::generator)(calls)) products.push_back(x);
    EXPECT_EQ(products, (std::vector{6, 20}));
}

TYPED_TEST(ParallelFor, nothing_is_returned_where_the_function_returns_nothing) {
    mp::Parallel(2, this->where)(test::views::iota(0, 100) | mp::delayed([](int) { ++seen->begun; }));
    EXPECT_EQ(seen->begun.load(), 100);
    auto results = mp::Parallel(2, this->where, mp::return_as::generator)(
        test::views::iota(0, 2) | mp::delayed([](int) { ++seen->begun; }));
    EXPECT_TRUE(results.next());
    EXPECT_TRUE(results.next());
    EXPECT_FALSE(results.next());
}

TYPED_TEST(ParallelFor, the_first_error_ends_a_list) {
    mp::Parallel parallel(1, this->where, {.batch_size = 1});
    EXPECT_EQ(test::message_of<std::domain_error>(
                  [&] { parallel(test::views::iota(0, 100'000) | mp::delayed(fails_at_3)); }),
              "three");
    EXPECT_LT(seen->begun.load(), 99'999) << "the rest is dropped";
    EXPECT_EQ(parallel(std::vector{7} | mp::delayed(count)), std::vector{7}) << "and the workers are kept";
}

TYPED_TEST(ParallelFor, a_generator_gives_results_in_order_while_it_pulls_its_input) {
    int pulled = 0;
    auto endless = test::views::iota(0) | test::views::transform([&pulled](int i) {
                       ++pulled;
                       return i;
                   });
    auto results = mp::Parallel(2, this->where, mp::return_as::generator)(endless | mp::delayed(count));
    for (int i = 0; i < 5000; ++i) {
        ASSERT_EQ(results.next(), i);
        ASSERT_LE(pulled, i + 1 + 4096);
    }
    pulled = 0;
    auto few = mp::Parallel(2, this->where, mp::return_as::generator,
                            {.pre_dispatch = 3})(endless | mp::delayed(count));
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(few.next(), i);
        ASSERT_LE(pulled, i + 3);
    }
}

TYPED_TEST(ParallelFor, a_generator_throws_an_error_at_its_place) {
    auto results = mp::Parallel(2, this->where,
                                mp::return_as::generator)(test::views::iota(2, 5) | mp::delayed(fails_at_3));
    EXPECT_EQ(results.next(), 2);
    EXPECT_THROW(results.next(), std::domain_error);
    EXPECT_EQ(results.next(), 4);
    EXPECT_EQ(results.next(), std::nullopt);
}

TYPED_TEST(ParallelFor, an_unordered_generator_gives_what_comes_first) {
    auto results = mp::Parallel(2, this->where, mp::return_as::generator_unordered)(
        test::views::iota(0, 50) | mp::delayed([](int i) { return i == 0 ? waits(i) : i; }));
    std::vector<int> order;
    for (const int x : results) {
        order.push_back(x);
        if (order.size() == 49) seen->gate.open();
    }
    ASSERT_EQ(order.size(), 50u);
    EXPECT_EQ(order.back(), 0);
    std::ranges::sort(order);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TYPED_TEST(ParallelFor, numbers_of_workers_are_those_of_joblib) {
    const int cpus = mp::cpu_count();
    EXPECT_EQ(mp::detail::workers_of(3), 3);
    EXPECT_EQ(mp::detail::workers_of(-1), cpus);
    EXPECT_EQ(mp::detail::workers_of(-2), std::max(cpus - 1, 1));
    EXPECT_EQ(mp::detail::workers_of(-1000), 1);
    EXPECT_NE(
        test::message_of<std::invalid_argument>([&] { mp::Parallel(0, this->where); }).find("n_jobs == 0"),
        std::string::npos);
    EXPECT_THROW(mp::Parallel(1, this->where, {.batch_size = 0})(std::vector{1} | mp::delayed(count)),
                 std::invalid_argument);
}

#if PROCPOOL_TEST_PROCESSES
TEST(ParallelForProcesses, a_call_that_dies_or_takes_too_long_costs_its_result) {
    auto results = mp::Parallel(2, mp::return_as::generator,
                                {.timeout = 50ms})(test::views::iota(0, 4) | mp::delayed([](int i) {
                                                       if (i == 1) ::raise(SIGKILL);
                                                       return i == 2 ? waits(i) : i;
                                                   }));
    EXPECT_EQ(results.next(), 0);
    EXPECT_THROW(results.next(), mp::WorkerDied);
    EXPECT_THROW(results.next(), mp::TaskTimeout);
    EXPECT_EQ(results.next(), 3);
}
#endif

}  // namespace parallel_test
