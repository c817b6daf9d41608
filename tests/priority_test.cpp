// SPDX-License-Identifier: MIT
// Options of calls that say which comes first, and where: priority and key.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "procpool/executor.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/message_of.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace priority_test {

namespace mp = test::tested;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> count{0};
    std::array<std::atomic<int>, 4096> order{};
    test::gate gate;
    test::gate later;
};
test::shared<board> seen;

int note(int what) {
    seen->order[static_cast<std::size_t>(seen->count++)] = what;
    return what;
}
void hold() { seen->gate.pass(); }

class Priority : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    std::vector<int> order() {
        return std::vector<int>(seen->order.begin(), seen->order.begin() + seen->count);
    }
    mp::Pool pool{1};
};

TEST_F(Priority, calls_with_a_higher_one_come_first) {
    auto held = pool.apply_async(hold);
    std::vector<mp::AsyncResult<int>> results;
    for (const int priority : {0, -5, 3, 0, 7, 3})
        results.push_back(pool.apply_async({.priority = priority}, note, priority));
    seen->gate.open();
    for (auto& one : results) one.wait();
    held.wait();
    EXPECT_EQ(order(), (std::vector{7, 3, 3, 0, 0, -5}));
}

TEST_F(Priority, of_a_map_holds_for_its_elements) {
    auto held = pool.apply_async(hold);
    auto low = pool.map_async(note, std::vector<int>(4, 1), {.chunksize = 1});
    auto high = pool.map_async(note, std::vector<int>(3, 2), {.chunksize = 1, .priority = 1});
    seen->gate.open();
    low.wait();
    high.wait();
    EXPECT_EQ(order(), (std::vector{2, 2, 2, 1, 1, 1, 1}));
}

TEST_F(Priority, nobody_waits_for_ever) {
    auto held = pool.apply_async(hold);
    std::vector<mp::AsyncResult<int>> high;
    auto low = pool.apply_async({.priority = -1}, note, 1000);
    for (int i = 0; i < 200; ++i) high.push_back(pool.apply_async({.priority = 1}, note, i));
    seen->gate.open();
    low.wait();
    for (auto& one : high) one.wait();
    const auto all = order();
    const auto at = std::find(all.begin(), all.end(), 1000) - all.begin();
    EXPECT_GT(at, 0);
    EXPECT_LE(at, 8) << "the eighth turn is its own";
}

TEST_F(Priority, is_an_option_of_executors_too) {
    mp::ThreadPoolExecutor executor(1);
    auto held = executor.submit(hold);
    auto low = executor.submit(note, 1);
    auto high = executor.submit({.priority = 1}, note, 2);
    seen->gate.open();
    low.wait();
    high.wait();
    EXPECT_EQ(order(), (std::vector{2, 1}));
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(Priority, outlives_the_death_of_the_worker) {
    auto held = pool.apply_async([] {
        seen->gate.pass();
        ::_exit(1);
    });
    auto low = pool.apply_async(note, 1);
    auto high = pool.apply_async({.priority = 1}, note, 2);
    seen->gate.open();
    EXPECT_THROW(held.get(), mp::WorkerDied);
    low.wait();
    high.wait();
    EXPECT_EQ(order(), (std::vector{2, 1}));
}

// ---- key

class Key : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    mp::Pool pool{3};
};
long pid() { return ::getpid(); }
long pid_of(int) { return ::getpid(); }

TEST_F(Key, calls_with_the_same_one_run_in_the_same_worker) {
    std::map<std::uint64_t, std::set<long>> workers;
    std::vector<std::pair<std::uint64_t, mp::AsyncResult<long>>> results;
    for (int round = 0; round < 50; ++round)
        for (std::uint64_t key = 0; key < 20; ++key)
            results.emplace_back(key, pool.apply_async({.key = key}, pid));
    std::set<long> all;
    for (auto& [key, result] : results) {
        workers[key].insert(result.get());
        all.insert(result.get());
    }
    for (const auto& [key, one] : workers) EXPECT_EQ(one.size(), 1u) << key;
    EXPECT_EQ(all.size(), 3u) << "twenty keys are spread over all";
}

TEST_F(Key, waits_for_its_worker_while_others_have_nothing_to_do) {
    const long worker = pool.apply({.key = 1}, pid);
    auto held = pool.apply_async({.key = 1}, hold);
    auto waits = pool.apply_async({.key = 1}, pid);
    for (int i = 0; i < 20; ++i) pool.apply(pid);
    EXPECT_FALSE(waits.ready());
    seen->gate.open();
    EXPECT_EQ(waits.get(), worker);
}

TEST_F(Key, when_its_worker_dies_the_next_one_in_its_place_takes_over) {
    const long first = pool.apply({.key = 5}, pid);
    auto dies = pool.apply_async({.key = 5}, [] { std::raise(SIGKILL); });
    std::vector<mp::AsyncResult<long>> later;
    for (int i = 0; i < 10; ++i) later.push_back(pool.apply_async({.key = 5}, pid));
    EXPECT_THROW(dies.get(), mp::WorkerDied);
    std::set<long> workers;
    for (auto& one : later) workers.insert(one.get());
    EXPECT_EQ(workers.size(), 1u);
    EXPECT_FALSE(workers.contains(first));
    EXPECT_EQ(pool.apply({.key = 5}, pid), *workers.begin());
}

TEST_F(Key, retries_run_in_its_place_too) {
    const long first = pool.apply({.key = 5}, pid);
    const auto index = [] { return *mp::worker_index(); };
    const auto place = pool.apply({.key = 5}, index);
    EXPECT_EQ(pool.apply({.retries = 1, .key = 5},
                         [] {
                             if (seen->count++ == 0) std::raise(SIGKILL);
                             return *mp::worker_index();
                         }),
              place);
    EXPECT_NE(pool.apply({.key = 5}, pid), first);
}

TEST_F(Key, keeps_nobody_else_waiting_for_ever) {
    mp::Pool one(1);
    auto held = one.apply_async(hold);
    auto others = one.map_async(pid_of, std::vector<int>(3), {.chunksize = 1});
    std::deque<mp::AsyncResult<long>> keyed;
    for (int i = 0; i < 50; ++i) keyed.push_back(one.apply_async({.key = 1}, pid));
    seen->gate.open();
    // There are always some with the key.
    EXPECT_TRUE(test::eventually([&] {
        keyed.front().wait();
        keyed.pop_front();
        keyed.push_back(one.apply_async({.key = 1}, pid));
        return others.ready();
    }));
    auto more = one.apply_async({.key = 1}, pid);
    EXPECT_TRUE(test::eventually([&] {
        one.apply_async(pid_of, 1).wait();
        return more.ready();
    })) << "and the others don't keep it waiting";
}

TEST_F(Key, calls_are_cancelled_and_given_up_as_others) {
    auto held = pool.apply_async({.key = 1}, hold);
    auto waits = pool.apply_async({.key = 1}, pid);
    EXPECT_TRUE(waits.cancel());
    EXPECT_THROW(waits.get(), mp::TaskCancelled);
    seen->gate.open();
    held.wait();
    auto more = pool.apply_async({.key = 1}, pid);
    pool.terminate();
    EXPECT_TRUE(more.ready());
}
#endif

TEST(KeyOfThreads, is_refused_in_a_sentence) {
    procpool::ThreadPool threads(1);
    EXPECT_EQ(test::message_of<std::invalid_argument>([&] { threads.apply({.key = 1}, [] {}); }),
              "procpool: ThreadPool has no key: its threads share all that one of them has loaded; use Pool");
}

}  // namespace priority_test
