// SPDX-License-Identifier: MIT
// Calls that each worker of a pool makes once.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/worker.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace everywhere_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> begun{0};
    std::atomic<int> calls{0};
    std::array<std::atomic<int>, 8> of{};
    std::atomic<bool> armed{false};
    test::gate gate;
};
test::shared<board> seen;

unsigned index() { return *mp::worker_index(); }
unsigned counted_index() {
    ++seen->of.at(index());
    return index();
}
int waits(int i) {
    ++seen->begun;
    seen->gate.pass();
    return i;
}
std::vector<unsigned> first(std::size_t n) {
    std::vector<unsigned> all(n);
    std::iota(all.begin(), all.end(), 0u);
    return all;
}

template <class PoolType>
class Everywhere : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(Everywhere, pools);

TYPED_TEST(Everywhere, calls_once_in_each_worker_and_returns_in_their_order) {
    TypeParam pool(4);
    for (int round = 1; round <= 20; ++round) {
        EXPECT_EQ(pool.everywhere(counted_index), first(4));
        for (std::size_t i = 0; i < 4; ++i) ASSERT_EQ(seen->of[i], round);
    }
}

TYPED_TEST(Everywhere, takes_arguments_and_may_return_nothing) {
    TypeParam pool(3);
    const auto join = [](const std::string& text, int n) {
        return text + std::to_string(n) + std::to_string(index());
    };
    EXPECT_EQ(pool.everywhere(join, "a", 7), (std::vector<std::string>{"a70", "a71", "a72"}));
    const std::vector<int> large(100'000, 3);
    const auto sum = [](const std::vector<int>& all) { return std::accumulate(all.begin(), all.end(), 0L); };
    EXPECT_EQ(pool.everywhere(sum, large), std::vector<long>(3, 300'000));
    pool.everywhere([](int n) { seen->of[0] += n; }, 2);
    EXPECT_EQ(seen->of[0], 6);
}

TYPED_TEST(Everywhere, waits_its_turn_in_workers_that_are_busy) {
    TypeParam pool(2);
    auto busy = pool.map_async(waits, std::vector<int>{0, 1}, {.chunksize = 1});
    ASSERT_TRUE(test::eventually([] { return seen->begun == 2; }));
    std::atomic<bool> done{false};
    std::jthread calls([&] {
        EXPECT_EQ(pool.everywhere(counted_index), first(2));
        done = true;
    });
    EXPECT_FALSE(test::eventually([&] { return seen->of[0] + seen->of[1] > 0; }, 50ms));
    EXPECT_FALSE(done);
    seen->gate.open();
    calls.join();
    EXPECT_EQ(busy.get(), (std::vector<int>{0, 1}));
}

TYPED_TEST(Everywhere, goes_along_with_other_calls_that_keep_all_workers_busy) {
    TypeParam pool(2);
    auto more = pool.map_async(
        [](int i) {
            ::usleep(200);
            return i;
        },
        test::views::iota(0, 2000));
    for (int i = 0; i < 20; ++i) ASSERT_EQ(pool.everywhere(index), first(2));
    const auto results = more.get();
    for (int i = 0; i < 2000; ++i) ASSERT_EQ(results[static_cast<std::size_t>(i)], i);
}

TYPED_TEST(Everywhere, throws_the_error_of_one_and_tries_tell_it_alone) {
    TypeParam pool(3);
    const auto task = [] {
        if (index() == 1) throw std::domain_error("not here");
        return index();
    };
    EXPECT_THROW(pool.everywhere(task), std::domain_error);
    const auto outcomes = pool.try_everywhere(task);
    ASSERT_EQ(outcomes.size(), 3u);
    EXPECT_EQ(outcomes[0].value(), 0u);
    EXPECT_THROW(outcomes[1].value(), std::domain_error);
    EXPECT_EQ(outcomes[2].value(), 2u);
}

TYPED_TEST(Everywhere, tries_again_what_throws_if_it_is_told_to) {
    TypeParam pool(2);
    const auto task = [] {
        if (++seen->of[index()] == 1) throw std::domain_error("not yet");
        return index();
    };
    EXPECT_EQ(pool.everywhere({.retries = 1, .retry_exceptions = true}, task), first(2));
}

TYPED_TEST(Everywhere, of_a_closed_pool_is_refused) {
    TypeParam pool(2);
    pool.close();
    EXPECT_THROW(pool.everywhere(index), mp::PoolNotRunning);
    pool.join();
}

TYPED_TEST(Everywhere, ends_when_the_pool_is_terminated) {
    TypeParam pool(2);
    std::jthread calls([&] { EXPECT_THROW(pool.everywhere(waits, 1), mp::PoolTerminated); });
    ASSERT_TRUE(test::eventually([] { return seen->begun == 2; }));
    if constexpr (std::is_same_v<TypeParam, mp::ThreadPool>) seen->gate.open();
    pool.terminate();
}

TYPED_TEST(Everywhere, may_be_called_by_several_threads_at_once) {
    TypeParam pool(3);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) ASSERT_EQ(pool.everywhere(index), first(3));
        });
}

// ---- threads

TEST(EverywhereInThreads, may_be_called_by_tasks_that_wait_for_each_other) {
    mp::ThreadPool pool(3);
    const auto task = [&](int) { return pool.everywhere(index); };
    for (int round = 0; round < 20; ++round)
        for (const auto& each : pool.map(task, test::views::iota(0, 6), {.chunksize = 1}))
            ASSERT_EQ(each, first(3));
    EXPECT_EQ(pool.everywhere([&] { return pool.everywhere(index); }),
              (std::vector<std::vector<unsigned>>(3, first(3))));
}

TEST(EverywhereInThreads, gives_each_a_copy_of_its_own) {
    mp::ThreadPool pool(2);
    const std::vector<int> given{1, 2};
    const auto task = [](std::vector<int> mine) {
        mine.push_back(static_cast<int>(index()));
        return mine;
    };
    EXPECT_EQ(pool.everywhere(task, given), (std::vector<std::vector<int>>{{1, 2, 0}, {1, 2, 1}}));
    EXPECT_EQ(given.size(), 2u);
}

// ---- deaths

class EverywhereInProcesses : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

TEST_F(EverywhereInProcesses, costs_one_result_if_a_worker_dies_in_it) {
    mp::Pool pool(3);
    const auto task = [] {
        if (index() == 1) ::raise(SIGKILL);
        return index();
    };
    const auto outcomes = pool.try_everywhere(task);
    EXPECT_EQ(outcomes[0].value(), 0u);
    EXPECT_THROW(outcomes[1].value(), mp::WorkerDied);
    EXPECT_EQ(outcomes[2].value(), 2u);
    EXPECT_EQ(pool.everywhere(index), first(3));
}

TEST_F(EverywhereInProcesses, is_called_by_the_replacement_if_that_is_asked_for) {
    mp::Pool pool(2);
    const auto task = [] {
        if (++seen->of[index()] == 1) ::raise(SIGKILL);
        return index();
    };
    EXPECT_EQ(pool.everywhere({.retries = 1}, task), first(2));
    EXPECT_EQ(seen->of[0], 2);
}

TEST_F(EverywhereInProcesses, is_called_by_the_replacement_of_who_died_before_it) {
    mp::Pool pool(2);
    auto busy = pool.try_map([](int i) { return i; }, std::vector<int>{0});
    auto dies = pool.map_async(
        [](int i) {
            ++seen->begun;
            seen->gate.pass();
            if (i == 0) ::raise(SIGKILL);
            return i;
        },
        std::vector<int>{0, 1}, {.chunksize = 1});
    ASSERT_TRUE(test::eventually([] { return seen->begun == 2; }));
    std::jthread calls([&] { EXPECT_EQ(pool.everywhere(counted_index), first(2)); });
    seen->gate.open();
    calls.join();
    EXPECT_EQ(seen->of[0], 1);
    EXPECT_EQ(seen->of[1], 1);
    EXPECT_THROW(dies.get(), mp::WorkerDied);
}

TEST_F(EverywhereInProcesses, goes_on_while_workers_are_killed_all_the_time) {
    mp::Pool pool({.processes = 3, .restart_limit = 1000});
    std::atomic<bool> stop{false};
    std::jthread kills([&] {
        while (!stop) {
            for (const long one : test::workers()) {
                ::kill(static_cast<pid_t>(one), SIGKILL);
                break;
            }
            std::this_thread::sleep_for(3ms);
        }
    });
    for (int i = 0; i < 30; ++i) {
        const auto outcomes = pool.try_everywhere({.retries = 2}, index);
        ASSERT_EQ(outcomes.size(), 3u);
        for (unsigned n = 0; n < 3; ++n) {
            if (outcomes[n].has_value())
                ASSERT_EQ(*outcomes[n], n);
            else
                ASSERT_THROW(outcomes[n].value(), mp::WorkerDied);
        }
    }
    stop = true;
}

TEST_F(EverywhereInProcesses, runs_in_workers_that_are_replaced_after_each_task) {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 1});
    std::set<long> pids;
    for (int i = 0; i < 5; ++i)
        for (const long pid : pool.everywhere([] { return static_cast<long>(::getpid()); })) pids.insert(pid);
    EXPECT_EQ(pids.size(), 10u);
}

TEST_F(EverywhereInProcesses, has_the_time_limit_of_a_call) {
    mp::Pool pool(2);
    const auto task = [] {
        if (index() == 0)
            for (;;) ::pause();
        return index();
    };
    const auto outcomes = pool.try_everywhere({.timeout = 100ms}, task);
    EXPECT_THROW(outcomes[0].value(), mp::TaskTimeout);
    EXPECT_EQ(outcomes[1].value(), 1u);
}

TEST_F(EverywhereInProcesses, is_cancelled_by_a_stop_token) {
    mp::Pool pool(2);
    std::stop_source stop;
    std::jthread calls(
        [&] { EXPECT_THROW(pool.everywhere({.stop = stop.get_token()}, waits, 1), mp::TaskCancelled); });
    ASSERT_TRUE(test::eventually([] { return seen->begun == 2; }));
    stop.request_stop();
    calls.join();
    EXPECT_EQ(pool.everywhere(index), first(2));
}

/// Fails on its way to a worker.
struct Fragile {
    template <class Archive>
    void save(Archive&) const {
        throw std::length_error("it breaks");
    }
    template <class Archive>
    void load(Archive&) {}
};

TEST_F(EverywhereInProcesses, with_an_argument_that_cannot_be_encoded_throws_and_leaves_the_pool_whole) {
    mp::Pool pool(2);
    EXPECT_THROW(pool.everywhere([](const Fragile&) {}, Fragile{}), mp::SerializationError);
    EXPECT_EQ(pool.everywhere(index), first(2));
    pool.close();
    pool.join();
}

TEST_F(EverywhereInProcesses, is_run_by_a_worker_whose_initializer_takes_its_time) {
    mp::Pool pool(2, [] { seen->gate.pass(); });
    std::jthread calls([&] { EXPECT_EQ(pool.everywhere(counted_index), first(2)); });
    EXPECT_FALSE(test::eventually([] { return seen->of[0] + seen->of[1] > 0; }, 50ms));
    seen->gate.open();
}

}  // namespace everywhere_test
