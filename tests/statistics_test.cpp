// SPDX-License-Identifier: MIT
// What a pool counts of its workers, and how it is printed.
#include "procpool/statistics.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/message_of.hpp"

namespace statistics_test {

namespace mp = procpool;
using namespace std::chrono_literals;

void spin(std::chrono::nanoseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < until) {
    }
}
int takes_ms(int ms) {
    spin(std::chrono::milliseconds(ms));
    return ms;
}
int throws_if_odd(int i) {
    if (i % 2 != 0) throw std::domain_error("odd");
    return i;
}
int dies_of_3(int i) {
    if (i == 3) ::raise(SIGKILL);
    return i;
}
std::size_t size_of(const std::string& text) { return text.size(); }
std::string long_text(int size) { return std::string(static_cast<std::size_t>(size), 'x'); }

std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

template <class PoolType>
class AnyStatistics : public testing::Test {};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(AnyStatistics, pools);

TYPED_TEST(AnyStatistics, count_elements_failures_and_time) {
    TypeParam pool({.processes = 2, .statistics = true});
    EXPECT_EQ(pool.stats().all().elements, 0u);
    pool.map(takes_ms, std::vector<int>(10, 2), {.chunksize = 1});
    EXPECT_THROW(pool.map(throws_if_odd, numbers(10)), std::domain_error);
    const mp::Statistics stats = pool.stats();
    const auto age_since = pool.stats().age;
    ASSERT_EQ(stats.workers.size(), 2u);
    const auto all = stats.all();
    EXPECT_EQ(all.elements, 20u);
    EXPECT_EQ(all.failures, 5u);
    EXPECT_EQ(all.deaths, 0u);
    EXPECT_GE(all.starts, 1u) << "a thread may begin late";
    EXPECT_LE(all.starts, 2u);
    EXPECT_GE(all.working, 20ms);
    for (const auto& one : stats.workers) {
        EXPECT_EQ(*one.index, static_cast<std::size_t>(&one - stats.workers.data()));
        EXPECT_LE(one.starting + one.initializing + one.waiting + one.working, age_since);
    }
}

TYPED_TEST(AnyStatistics, the_five_slowest_are_kept_the_longest_first) {
    TypeParam pool({.processes = 2, .statistics = true});
    pool.map(takes_ms, std::vector<int>{1, 9, 2, 21, 3, 15, 4, 12, 0}, {.chunksize = 1, .name = "sizes"});
    const auto slowest = pool.stats().slowest;
    ASSERT_EQ(slowest.size(), 5u);
    EXPECT_TRUE(std::is_sorted(slowest.begin(), slowest.end(),
                               [](const auto& a, const auto& b) { return a.run_time > b.run_time; }));
    EXPECT_GE(slowest[0].run_time, 21ms);
    EXPECT_EQ(slowest[0].call, "sizes");
    EXPECT_EQ(slowest[0].outcome, mp::element_outcome::returned);
}

TYPED_TEST(AnyStatistics, are_printed_as_a_table) {
    TypeParam pool({.processes = 2, .statistics = true});
    pool.map(takes_ms, std::vector<int>{1, 2}, {.name = "naps"});
    std::ostringstream text;
    text << pool.stats();
    std::istringstream lines(text.str());
    std::string line;
    std::vector<std::string> all;
    while (std::getline(lines, line)) all.push_back(line);
    ASSERT_EQ(all.size(), 7u) << text.str();
    EXPECT_NE(all[0].find("working"), std::string::npos);
    EXPECT_NE(all[3].find("all"), std::string::npos);
    EXPECT_EQ(all[1].size(), all[0].size()) << "columns are aligned";
    EXPECT_NE(all[5].find("of naps"), std::string::npos) << text.str();
}

TEST(ThreadStatistics, need_the_option) {
    mp::ThreadPool pool(1);
    EXPECT_NE(test::message_of<mp::Error>([&] { pool.stats(); }).find("statistics = true"),
              std::string::npos);
}

TEST(PoolStatistics, slowest_elements_have_their_arguments) {
    mp::Pool pool({.processes = 1, .statistics = true});
    pool.map(takes_ms, std::vector<int>{3});
    EXPECT_EQ(pool.stats().slowest.at(0).arguments, "3");
}

TEST(PoolStatistics, without_the_option_all_but_elements_is_counted) {
    mp::Pool pool(mp::PoolOptions{.processes = 2}, [] { spin(5ms); });
    pool.map(takes_ms, std::vector<int>(6, 2), {.chunksize = 1});
    const auto stats = pool.stats();
    EXPECT_TRUE(stats.slowest.empty());
    EXPECT_EQ(stats.all().elements, 6u) << "the initializer is none";
    EXPECT_GE(stats.all().working, 12ms);
    EXPECT_GT(stats.all().peak_memory, 100'000u);
    for (const auto& one : stats.workers) {
        EXPECT_GE(one.initializing, 5ms);
        EXPECT_GT(one.starting, 0ns);
    }
}

TEST(PoolStatistics, what_dead_workers_did_stays_counted) {
    mp::Pool pool({.processes = 2});
    EXPECT_THROW(pool.map(dies_of_3, numbers(20)), mp::WorkerDied);
    pool.map(takes_ms, std::vector<int>(10, 0));
    const auto all = pool.stats().all();
    EXPECT_EQ(all.elements, 30u);
    EXPECT_EQ(all.deaths, 1u);
}

TEST(PoolStatistics, workers_that_had_their_share_are_no_deaths) {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 2});
    pool.map(takes_ms, std::vector<int>(6, 0), {.chunksize = 1});
    const auto all = pool.stats().all();
    EXPECT_EQ(all.elements, 6u);
    EXPECT_EQ(all.deaths, 0u);
}

TEST(PoolStatistics, bytes_are_those_of_large_data_too) {
    constexpr int large = 1 << 20;
    mp::Pool pool({.processes = 1, .statistics = true});
    pool.apply(size_of, std::string(large, 'x'));
    EXPECT_EQ(pool.apply(long_text, large).size(), static_cast<std::size_t>(large));
    const auto all = pool.stats().all();
    EXPECT_GE(all.bytes_sent, static_cast<std::uint64_t>(large));
    EXPECT_LT(all.bytes_sent, 2u * large);
    EXPECT_GE(all.bytes_received, static_cast<std::uint64_t>(large));
}

TEST(PoolStatistics, can_be_asked_after_the_end) {
    mp::Pool pool({.processes = 2});
    pool.map(takes_ms, std::vector<int>(6, 0));
    pool.close();
    pool.join();
    EXPECT_EQ(pool.stats().all().elements, 6u);
}

}  // namespace statistics_test
