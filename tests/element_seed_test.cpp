// SPDX-License-Identifier: MIT
// Random numbers of elements: the same whatever runs them.
#include <gtest/gtest.h>
#include <signal.h>

#include <any>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/element_seed.hpp"
#include "procpool/finalizer.hpp"
#include "procpool/pool.hpp"
#include "procpool/result.hpp"
#include "procpool/thread_pool.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"

namespace element_seed_test {

namespace mp = procpool;

struct board {
    std::atomic<int> deaths{0};
};
test::shared<board> seen;

std::uint64_t seed(int) { return mp::element_seed(); }
std::uint64_t seed_of_call() { return mp::element_seed(); }

/// What the first call of a pool with this seed gets.
std::vector<std::uint64_t> expected(std::uint64_t pool_seed, std::size_t n, std::uint64_t call = 1) {
    std::vector<std::uint64_t> all;
    for (std::size_t i = 0; i < n; ++i)
        all.push_back(mp::detail::worker::seed_of_element(pool_seed, call, i));
    return all;
}

template <class PoolType>
class ElementSeed : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(ElementSeed, pools);

TYPED_TEST(ElementSeed, is_the_same_however_many_workers_and_chunks_there_are) {
    for (const int workers : {1, 2, 3})
        for (const std::ptrdiff_t chunksize : {1, 7, 1000}) {
            TypeParam pool({.processes = workers, .seed = 42});
            ASSERT_EQ(pool.map(seed, test::views::iota(0, 500), {.chunksize = chunksize}), expected(42, 500));
        }
    TypeParam pool({.processes = 2, .seed = 42});
    EXPECT_EQ(pool.map(seed, test::views::iota(0, 5000)), expected(42, 5000));
}

TYPED_TEST(ElementSeed, is_the_same_in_all_releases) {
    TypeParam pool({.processes = 1, .seed = 42});
    EXPECT_EQ(pool.apply(seed_of_call), 10646091845267208524u);
}

TYPED_TEST(ElementSeed, is_the_same_for_all_calls_that_take_the_elements) {
    const auto numbers = test::views::iota(0, 100);
    std::vector<std::pair<int, int>> pairs(100);
    const auto of_pair = [](int, int) { return mp::element_seed(); };
    const auto with = [] { return mp::PoolOptions{.processes = 2, .seed = 7}; };
    EXPECT_EQ(TypeParam(with()).starmap(of_pair, pairs), expected(7, 100));
    EXPECT_EQ(TypeParam(with()).map_async(seed, numbers).get(), expected(7, 100));
    {
        TypeParam pool(with());
        std::vector<std::uint64_t> streamed;
        for (const std::uint64_t one : pool.imap(seed, numbers)) streamed.push_back(one);
        EXPECT_EQ(streamed, expected(7, 100));
    }
    TypeParam pool(with());
    std::multiset<std::uint64_t> unordered;
    for (const std::uint64_t one : pool.imap_unordered(seed, numbers)) unordered.insert(one);
    const auto all = expected(7, 100);
    EXPECT_EQ(unordered, std::multiset<std::uint64_t>(all.begin(), all.end()));
}

TYPED_TEST(ElementSeed, differs_for_elements_calls_and_pools) {
    std::set<std::uint64_t> all;
    for (const std::uint64_t pool_seed : {0u, 1u, 2u}) {
        TypeParam pool({.processes = 2, .seed = pool_seed});
        for (int call = 0; call < 3; ++call)
            for (const std::uint64_t one : pool.map(seed, test::views::iota(0, 1000))) all.insert(one);
    }
    TypeParam pool(2);
    for (const std::uint64_t one : pool.map(seed, test::views::iota(0, 1000))) all.insert(one);
    TypeParam other(2);
    for (const std::uint64_t one : other.map(seed, test::views::iota(0, 1000))) all.insert(one);
    EXPECT_EQ(all.size(), 11'000u);
}

TYPED_TEST(ElementSeed, of_single_calls_depends_on_their_number_alone) {
    std::vector<std::uint64_t> one_by_one;
    for (std::uint64_t call = 1; call <= 3000; ++call) one_by_one.push_back(expected(9, 1, call)[0]);
    {
        TypeParam pool({.processes = 2, .seed = 9});
        for (std::size_t i = 0; i < 100; ++i) ASSERT_EQ(pool.apply(seed_of_call), one_by_one[i]);
    }
    // Many at once share jobs.
    TypeParam pool({.processes = 2, .seed = 9});
    std::vector<mp::AsyncResult<std::uint64_t>> calls;
    for (int i = 0; i < 2999; ++i) calls.push_back(pool.apply_async(seed_of_call));
    for (std::size_t i = 0; i < 2999; ++i) ASSERT_EQ(calls[i].get(), one_by_one[i]) << i;
    EXPECT_EQ(pool.apply(seed_of_call), one_by_one[2999]);
}

TYPED_TEST(ElementSeed, stays_the_same_when_an_element_is_tried_again) {
    TypeParam pool({.processes = 2, .seed = 3});
    const auto task = [](int i) {
        if (i % 10 == 3 && seen->deaths++ < 5) throw std::runtime_error("once more");
        return mp::element_seed();
    };
    EXPECT_EQ(pool.map(task, test::views::iota(0, 100), {.retries = 5, .retry_exceptions = true}),
              expected(3, 100));
}

TYPED_TEST(ElementSeed, goes_on_after_elements_that_throw) {
    TypeParam pool({.processes = 2, .seed = 3});
    const auto task = [](int i) {
        if (i % 3 == 0) throw std::runtime_error("a third");
        return mp::element_seed();
    };
    const auto outcomes = pool.try_map(task, test::views::iota(0, 300));
    const auto all = expected(3, 300);
    for (std::size_t i = 1; i < 300; i += i % 3 == 1 ? 1 : 2) ASSERT_EQ(outcomes[i].value(), all[i]);
}

TYPED_TEST(ElementSeed, is_told_once_for_each_worker_by_everywhere) {
    TypeParam pool({.processes = 3, .seed = 5});
    EXPECT_EQ(pool.everywhere(seed_of_call), expected(5, 3));
    EXPECT_EQ(pool.everywhere(seed_of_call), expected(5, 3, 2));
}

TYPED_TEST(ElementSeed, is_refused_where_no_element_runs) {
    EXPECT_THROW(mp::element_seed(), mp::Error);
    std::atomic<int> refused{0};
    const auto refuses = [] {
        try {
            mp::element_seed();
        } catch (const mp::Error&) {
            return 1;
        }
        return 0;
    };
    TypeParam pool(mp::PoolOptions{.processes = 2, .finalizer = refuses, .seed = 5}, [refuses] {
        if (!refuses()) throw std::logic_error("an initializer has a seed");
    });
    EXPECT_EQ(pool.apply(seed_of_call), expected(5, 1)[0]);
    pool.close();
    pool.join();
    for (const auto& one : pool.finalizer_results()) refused += std::any_cast<int>(one.value);
    EXPECT_EQ(refused, 2);
}

TYPED_TEST(ElementSeed, makes_numbers_that_do_not_follow_each_other) {
    TypeParam pool({.processes = 2, .seed = 1});
    const auto uniform = [](int) {
        std::mt19937_64 random(mp::element_seed());
        return std::uniform_real_distribution<double>()(random);
    };
    double sum = 0, products = 0, before = 0.5;
    const int n = 10'000;
    for (const double x : pool.map(uniform, test::views::iota(0, n))) {
        sum += x;
        products += (x - 0.5) * (before - 0.5);
        before = x;
    }
    EXPECT_NEAR(sum / n, 0.5, 0.02);
    EXPECT_NEAR(products / n, 0, 0.005);
}

// ---- deaths

class ElementSeedInProcesses : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

TEST_F(ElementSeedInProcesses, stays_the_same_when_workers_die) {
    mp::Pool pool({.processes = 3, .restart_limit = 1000, .seed = 11});
    const auto task = [](int i) {
        if (i % 40 == 7 && seen->deaths++ < 30) ::raise(SIGKILL);
        return mp::element_seed();
    };
    EXPECT_EQ(pool.map(task, test::views::iota(0, 1000), {.retries = 30}), expected(11, 1000));
    EXPECT_GT(seen->deaths, 20);
}

TEST_F(ElementSeedInProcesses, stays_the_same_when_elements_are_taken_back_from_a_slow_worker) {
    mp::Pool pool({.processes = 2, .seed = 12});
    const auto task = [](int i) {
        if (i == 5) std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return mp::element_seed();
    };
    EXPECT_EQ(pool.map(task, test::views::iota(0, 3000)), expected(12, 3000));
}

TEST_F(ElementSeedInProcesses, is_the_tasks_in_threads_that_it_starts) {
    mp::Pool pool({.processes = 1, .seed = 13});
    const auto task = [](int) {
        std::uint64_t in_thread = 0;
        std::thread([&] { in_thread = mp::element_seed(); }).join();
        return in_thread;
    };
    EXPECT_EQ(pool.map(task, test::views::iota(0, 10)), expected(13, 10));
}

TEST_F(ElementSeedInProcesses, is_that_of_the_inner_pool_in_its_tasks) {
    mp::Pool pool({.processes = 1, .seed = 14});
    const auto task = [](int) {
        mp::ThreadPool inner({.processes = 2, .seed = 15});
        const auto seeds = inner.map(seed, test::views::iota(0, 10));
        return std::pair(seeds == expected(15, 10), mp::element_seed());
    };
    const auto results = pool.map(task, test::views::iota(0, 3));
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(results[i], std::pair(true, expected(14, 3)[i]));
}

TEST_F(ElementSeedInProcesses, comes_back_in_a_thread_after_what_that_has_run_meanwhile) {
    mp::ThreadPool pool({.processes = 1, .seed = 16});
    const auto task = [&](int) {
        pool.map(seed, test::views::iota(0, 5));  // by this thread
        return mp::element_seed();
    };
    EXPECT_EQ(pool.map(task, test::views::iota(0, 3)), expected(16, 3));
}

}  // namespace element_seed_test
