// SPDX-License-Identifier: MIT
// resize(): more or fewer workers while the pool works.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/message_of.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace resize_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> met{0};
    test::gate gate;
};
test::shared<board> seen;

int twice(int i) { return 2 * i; }
/// Is in each worker once: who comes waits for all.
long meet(int workers) {
    ++seen->met;
    if (!test::eventually([workers] { return seen->met >= workers; })) throw std::runtime_error("alone");
    return ::getpid();
}

class Resize : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }

    std::set<long> workers_of(mp::Pool& pool, int expected) {
        seen->met = 0;
        const auto all =
            pool.map(meet, std::vector<int>(static_cast<std::size_t>(expected), expected), {.chunksize = 1});
        return {all.begin(), all.end()};
    }
    /// Those that are there, with the ones that leave.
    static std::size_t living(const mp::Pool& pool) {
        std::size_t count = 0;
        for (const auto& one : pool.workers()) count += one.pid != 0 ? 1 : 0;
        return count;
    }
};

TEST_F(Resize, a_pool_grows_up_to_max_processes) {
    mp::Pool pool({.processes = 1, .max_processes = 4});
    EXPECT_EQ(pool.size(), 1u);
    EXPECT_EQ(living(pool), 1u);
    pool.resize(4);
    EXPECT_EQ(pool.size(), 4u);
    EXPECT_EQ(workers_of(pool, 4).size(), 4u);
    EXPECT_EQ(pool.workers().size(), 4u);
}

TEST_F(Resize, and_shrinks_and_its_workers_leave) {
    mp::Pool pool(3);
    const auto before = workers_of(pool, 3);
    pool.resize(1);
    EXPECT_EQ(pool.size(), 1u);
    EXPECT_TRUE(test::eventually([&] { return living(pool) == 1; })) << "also while nobody calls the pool";
    const auto after = pool.map(meet, std::vector<int>(5, 1), {.chunksize = 1});
    EXPECT_EQ(std::set<long>(after.begin(), after.end()).size(), 1u);
    EXPECT_TRUE(before.contains(after[0]));
    pool.resize(3);
    EXPECT_EQ(workers_of(pool, 3).size(), 3u);
}

TEST_F(Resize, what_runs_is_finished_and_what_waits_runs_elsewhere) {
    mp::Pool pool(2);
    auto result = pool.map_async(
        [](int i) {
            if (i < 2) seen->gate.pass();
            return i;
        },
        test::views::iota(0, 100), {.chunksize = 1});
    EXPECT_TRUE(test::eventually([&] {
        for (const auto& one : pool.workers())
            if (!one.running) return false;
        return true;
    }));
    pool.resize(1);
    seen->gate.open();
    std::vector<int> expected(100);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(result.get(), expected);
    EXPECT_TRUE(test::eventually([&] { return living(pool) == 1; }));
}

TEST_F(Resize, happens_again_and_again_while_the_pool_works) {
    mp::Pool pool({.processes = 2, .max_processes = 4});
    std::atomic<bool> done{false};
    std::thread resizes([&] {
        for (int i = 0; !done; ++i) {
            pool.resize(1 + i % 4);
            std::this_thread::sleep_for(1ms);
        }
    });
    for (int round = 0; round < 20; ++round) {
        const auto all = pool.map(twice, test::views::iota(0, 2000), {.chunksize = 7});
        ASSERT_EQ(std::accumulate(all.begin(), all.end(), 0), 2000 * 1999);
        ASSERT_EQ(pool.apply({.key = 3}, twice, round), 2 * round);
    }
    done = true;
    resizes.join();
    pool.close();
    pool.join();
}

TEST_F(Resize, workers_that_die_are_replaced_as_far_as_there_is_a_place) {
    mp::Pool pool({.processes = 1, .max_processes = 3});
    pool.resize(3);
    EXPECT_EQ(workers_of(pool, 3).size(), 3u);
    auto dies = pool.apply_async([] { std::raise(SIGKILL); });
    pool.resize(2);
    EXPECT_THROW(dies.get(), mp::WorkerDied);
    EXPECT_EQ(workers_of(pool, 2).size(), 2u);
    EXPECT_TRUE(test::eventually([&] { return living(pool) == 2; }));
}

TEST_F(Resize, runs_the_initializer_in_new_workers) {
    static int ready = 0;
    mp::Pool pool({.processes = 1, .max_processes = 2}, [] { ready = 7; });
    pool.resize(2);
    seen->met = 0;
    EXPECT_EQ(pool.map(
                  [](int workers) {
                      meet(workers);
                      return ready;
                  },
                  std::vector{2, 2}, {.chunksize = 1}),
              (std::vector{7, 7}));
}

TEST_F(Resize, may_be_followed_by_the_end_at_once) {
    for (int round = 0; round < 5; ++round) {
        mp::Pool pool({.processes = 1, .max_processes = 3});
        pool.resize(3);
        if (round % 2 == 0) pool.resize(1);
        if (round == 3) pool.terminate();
    }
    mp::Pool pool({.processes = 2, .max_processes = 3});
    pool.resize(3);
    pool.resize(1);
    pool.close();
    pool.join();
    EXPECT_THROW(pool.resize(2), mp::PoolNotRunning);
}

TEST_F(Resize, refuses_sizes_that_cant_be) {
    mp::Pool pool({.processes = 1, .max_processes = 2});
    EXPECT_EQ(test::message_of<std::invalid_argument>([&] { pool.resize(0); }),
              "procpool: resize() takes 1 worker or more, not 0");
    EXPECT_EQ(test::message_of<std::invalid_argument>([&] { pool.resize(3); }),
              "procpool: resize() takes as many workers as PoolOptions::max_processes says at the most: 2");
    EXPECT_EQ(test::message_of<std::invalid_argument>([] { mp::Pool({.processes = 3, .max_processes = 2}); }),
              "procpool: max_processes must be processes, 3, or more, not 2");
    EXPECT_THROW(mp::ThreadPool({.processes = 1, .max_processes = 2}), std::invalid_argument);
    EXPECT_EQ(pool.map(twice, std::vector{1}), std::vector{2});
    mp::Pool here(0);
    here.resize(4);
    EXPECT_EQ(here.apply(twice, 1), 2);
}

// ---- workers that leave while there are no calls

class Idle : public Resize {};

TEST_F(Idle, workers_leave_after_a_time_and_the_next_call_starts_them) {
    mp::Pool pool({.processes = 2, .idle_timeout = 20ms});
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(workers_of(pool, 2).size(), 2u);
        EXPECT_TRUE(test::eventually([&] { return living(pool) == 0; }))
            << "also while nobody calls the pool";
        EXPECT_EQ(pool.size(), 2u);
        EXPECT_EQ(pool.workers().size(), 2u);
    }
    auto result = pool.apply_async(twice, 4);
    EXPECT_EQ(result.get(), 8);
    EXPECT_EQ(pool.state(), mp::pool_state::running);
}

TEST_F(Idle, a_pool_that_was_never_called_lets_them_go_too) {
    mp::Pool pool({.processes = 1, .idle_timeout = 1ms});
    EXPECT_TRUE(test::eventually([&] { return living(pool) == 0; }));
    auto result = pool.apply_async(twice, 1);
    EXPECT_TRUE(test::eventually([&] { return result.ready(); })) << "though nobody waits in the pool";
}

TEST_F(Idle, workers_whose_initializer_takes_longer_leave_after_it) {
    mp::Pool pool({.processes = 1, .idle_timeout = 1ms}, [] { std::this_thread::sleep_for(50ms); });
    EXPECT_TRUE(test::eventually([&] { return living(pool) == 0; })) << "though nobody calls the pool";
}

TEST_F(Idle, nobody_leaves_while_a_call_runs) {
    mp::Pool pool({.processes = 2, .idle_timeout = 1ms});
    auto result = pool.apply_async([] {
        seen->gate.pass();
        return static_cast<long>(::getpid());
    });
    const auto other = pool.apply([] { return static_cast<long>(::getpid()); });
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(pool.apply([] { return static_cast<long>(::getpid()); }), other);
        std::this_thread::sleep_for(1ms);
    }
    seen->gate.open();
    EXPECT_NE(result.get(), other);
}

TEST_F(Idle, calls_at_the_moment_when_they_leave_are_run) {
    mp::Pool pool({.processes = 2, .idle_timeout = 1ms});
    for (int i = 0; i < 200; ++i) {
        ASSERT_EQ(pool.apply(twice, i), 2 * i);
        if (i % 3 != 0) std::this_thread::sleep_for(std::chrono::microseconds(700 + i * 4));
    }
}

TEST_F(Idle, new_workers_run_the_initializer_and_are_replaced_when_they_die) {
    static int ready = 0;
    mp::Pool pool({.processes = 1, .idle_timeout = 5ms}, [] { ready = 7; });
    EXPECT_TRUE(test::eventually([&] { return living(pool) == 0; }));
    EXPECT_EQ(pool.apply([] { return ready; }), 7);
    EXPECT_THROW(pool.apply([] { std::raise(SIGKILL); }), mp::WorkerDied);
    EXPECT_EQ(pool.apply([] { return ready; }), 7);
}

TEST_F(Idle, ends_as_other_pools_while_its_workers_are_away) {
    for (int round = 0; round < 4; ++round) {
        mp::Pool pool({.processes = 2, .max_processes = 3, .idle_timeout = 1ms});
        EXPECT_TRUE(test::eventually([&] { return living(pool) == 0; }));
        if (round == 1) pool.terminate();
        if (round == 2) {
            pool.close();
            pool.join();
        }
        if (round == 3) {
            pool.resize(3);
            EXPECT_EQ(workers_of(pool, 3).size(), 3u);
        }
    }
    EXPECT_THROW(mp::Pool({.processes = 1, .idle_timeout = 0ns}), std::invalid_argument);
    EXPECT_THROW(mp::ThreadPool({.processes = 1, .idle_timeout = 1s}), std::invalid_argument);
}

}  // namespace resize_test
