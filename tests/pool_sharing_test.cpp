// SPDX-License-Identifier: MIT
// Pools among threads, other pools, tasks and copies of this process.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace pool_sharing_test {

namespace mp = test::tested;

struct board {
    std::atomic<int> count{0};
    std::array<std::atomic<int>, 4> pids{};
    test::gate gate;
};
test::shared<board> seen;

long cube(long x) { return x * x * x; }
int twice(int i) { return 2 * i; }

class PoolSharing : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    void TearDown() override { captured.reset(); }

    static std::optional<mp::Pool> captured;
};
std::optional<mp::Pool> PoolSharing::captured;

// ---- threads

TEST_F(PoolSharing, a_thread_that_is_cancelled_ends_when_its_call_has_ended) {
    mp::Pool pool(1);
    for (const bool drives : {true, false}) {
        std::optional<std::thread> driver;  // beside it the other one only waits
        auto pending = pool.apply_async([] { seen->gate.pass(); });
        if (!drives) driver.emplace([&] { pending.get(); });
        std::atomic<bool> in_call = false, returned = false, goes_on = false;
        std::thread cancelled([&] {
            in_call = true;
            pending.wait();
            returned = true;
            ::pthread_testcancel();
            goes_on = true;
        });
        ASSERT_TRUE(test::eventually([&] { return in_call.load(); }));
        ::pthread_cancel(cancelled.native_handle());
        seen->gate.open();
        cancelled.join();
        if (driver) driver->join();
        EXPECT_TRUE(returned);
        EXPECT_FALSE(goes_on);
        EXPECT_EQ(pool.apply(twice, 2), 4);
        seen.reset();
    }
}

TEST_F(PoolSharing, several_threads_use_one_pool_at_the_same_time) {
    mp::Pool pool(2);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&pool, thread] {
            for (int round = 0; round < 20; ++round) {
                const long base = 1000L * thread + round;
                const auto results = pool.map(cube, test::views::iota(base, base + 100));
                for (long i = 0; i < 100; ++i)
                    ASSERT_EQ(results[static_cast<std::size_t>(i)], cube(base + i));
                ASSERT_EQ(pool.apply(cube, base), cube(base));
                auto later = pool.map_async(cube, test::views::iota(base, base + 10), {.chunksize = 1});
                auto stream = pool.imap(cube, test::views::iota(base, base + 10));
                for (long i = 0; i < 10; ++i) ASSERT_EQ(stream.next(), cube(base + i));
                ASSERT_EQ(later.get().back(), cube(base + 9));
            }
        });
    for (auto& thread : threads) thread.join();
}

TEST_F(PoolSharing, errors_and_deaths_reach_the_thread_that_asked) {
    mp::Pool pool(2);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&pool, thread] {
            for (int round = 0; round < 10; ++round) {
                const auto outcomes = pool.try_map(
                    [thread](int i) {
                        if (thread == 0 && i == 5) throw std::domain_error("five");
                        if (thread == 1 && i == 7) ::_exit(1);
                        return i;
                    },
                    test::views::iota(0, 20), {.chunksize = 3});
                for (std::size_t i = 0; i < outcomes.size(); ++i)
                    ASSERT_EQ(outcomes[i].has_value(), !(thread == 0 && i == 5) && !(thread == 1 && i == 7))
                        << thread << ' ' << i;
            }
        });
    for (auto& thread : threads) thread.join();
}

TEST_F(PoolSharing, a_thread_gets_its_results_while_another_waits_for_long_ones) {
    mp::Pool pool(2);
    std::thread patient([&] { pool.apply([] { seen->gate.pass(); }); });
    for (int i = 0; i < 100; ++i) EXPECT_EQ(pool.apply(twice, i), 2 * i);
    seen->gate.open();
    patient.join();
}

// ---- several pools

TEST_F(PoolSharing, several_pools_live_at_once) {
    mp::Pool one(1);
    mp::Pool two(2);
    auto first = one.map_async(cube, test::views::iota(0, 1000), {.chunksize = 1});
    auto second = two.map_async(cube, test::views::iota(0, 1000), {.chunksize = 1});
    {
        mp::Pool three(1);
        EXPECT_EQ(three.apply(twice, 1), 2);
        EXPECT_EQ(one.apply(twice, 1), 2);
    }
    EXPECT_EQ(first.get(), second.get());
    one.terminate();
    EXPECT_EQ(two.apply(twice, 4), 8);
}

TEST_F(PoolSharing, a_dead_worker_is_noticed_by_its_own_pool_although_another_was_made_later) {
    // Had the later pool's processes inherited the pipes of the first one, no end of file would come.
    mp::Pool first(1);
    mp::Pool later(2);
    EXPECT_THROW(first.apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
    EXPECT_EQ(first.apply(twice, 1), 2);
    EXPECT_EQ(later.apply(twice, 1), 2);
}

TEST_F(PoolSharing, results_of_one_pool_are_input_of_another) {
    mp::Pool one(1);
    mp::Pool two(1);
    std::vector<long> all;
    for (const long x : two.imap(cube, one.imap(twice, test::views::iota(0, 50)))) all.push_back(x);
    ASSERT_EQ(all.size(), 50u);
    EXPECT_EQ(all[7], cube(14));
}

TEST_F(PoolSharing, results_of_a_pool_are_its_own_input) {
    mp::Pool pool(2);
    std::vector<long> all;
    for (const long x : pool.imap(cube, pool.imap_unordered(twice, test::views::iota(0, 50))))
        all.push_back(x);
    EXPECT_EQ(all.size(), 50u);
    EXPECT_EQ(pool.map(cube, pool.imap(twice, test::views::iota(0, 3))), (std::vector<long>{0, 8, 64}));
}

// ---- pools and tasks

TEST_F(PoolSharing, a_task_may_have_a_pool_of_its_own) {
    mp::Pool pool(2);
    const auto sum_of_cubes = [](int n) {
        mp::Pool inner(2);
        long sum = 0;
        for (const long x : inner.map(cube, test::views::iota(0, n))) sum += x;
        return sum;
    };
    EXPECT_EQ(pool.map(sum_of_cubes, std::vector<int>{1, 2, 3, 100}),
              (std::vector<long>{0, 1, 9, 4950L * 4950L}));
}

TEST_F(PoolSharing, pools_nest_and_an_error_comes_all_the_way_up) {
    mp::Pool pool(1);
    const auto outer = [](int i) {
        const auto inner = [](int j) {
            return mp::Pool(1).apply([](int k) -> int { throw std::domain_error(std::to_string(k)); }, j + 1);
        };
        return mp::Pool(1).apply(inner, i + 1);
    };
    try {
        pool.apply(outer, 1);
        FAIL();
    } catch (const std::domain_error& error) {
        EXPECT_STREQ(error.what(), "3");
    }
}

TEST_F(PoolSharing, the_pool_of_a_task_ends_with_its_worker) {
    {
        mp::Pool pool(1);
        auto result = pool.apply_async([] {
            mp::Pool inner(1);
            inner.apply([] {
                seen->pids[0] = ::getpid();
                for (;;) ::pause();
            });
        });
        ASSERT_TRUE(test::eventually([] { return seen->pids[0] != 0; }));
        pool.terminate();
        EXPECT_THROW(result.get(), mp::PoolTerminated);
    }
    EXPECT_TRUE(test::eventually([] { return ::kill(seen->pids[0], 0) != 0; }));
}

TEST_F(PoolSharing, a_pool_of_this_process_cannot_be_used_by_a_task) {
    captured.emplace(1);
    EXPECT_EQ(captured->apply(twice, 1), 2);
    mp::Pool pool(1);
    const auto refusals = pool.apply([] {
        int count = 0;
        const auto refused = [&count](auto call) {
            try {
                call();
            } catch (const mp::PoolNotRunning&) {
                ++count;
            }
        };
        refused([] { captured->apply(twice, 1); });
        refused([] { captured->map(twice, std::vector<int>{1}); });
        refused([] { (void)captured->imap(twice, std::vector<int>{1}); });
        refused([] { captured->close(); });
        refused([] { captured->terminate(); });
        refused([] { captured->join(); });
        captured.reset();  // harmless
        return count;
    });
    EXPECT_EQ(refusals, 6);
    EXPECT_EQ(captured->apply(twice, 2), 4) << "it is alive where it belongs";
}

TEST_F(PoolSharing, a_task_may_exit_although_the_program_has_a_static_pool) {
    static std::optional<mp::Pool> of_the_program;
    of_the_program.emplace(1);
    auto result = of_the_program->apply_async(twice, 1);
    mp::Pool pool(1);
    try {
        pool.apply([] { std::exit(3); });  // runs the destructors of static objects, in the worker
        ADD_FAILURE();
    } catch (const mp::WorkerDied& error) {
        EXPECT_EQ(error.exit_code(), 3) << error.what();
    }
    EXPECT_EQ(result.get(), 2);
    EXPECT_EQ(of_the_program->apply(twice, 2), 4);
    of_the_program.reset();
}

// ---- copies of this process

#ifdef _WIN32
constexpr std::chrono::milliseconds id_stays_for = test::patience;
#else
constexpr std::chrono::milliseconds id_stays_for{0};
#endif

TEST_F(PoolSharing, exit_ends_the_workers_of_a_static_pool) {
    for (const bool busy : {false, true}) {
        seen.reset();
        test::child_program program([busy] {
            // What is registered before the pool is made is called when the pool is gone.
            std::atexit([] {
                for (int i = 0; i < 2; ++i) {
                    const int pid = seen->pids[static_cast<std::size_t>(i)];
                    if (pid == 0 || !test::eventually([pid] { return ::kill(pid, 0) == -1; }, id_stays_for))
                        ::_exit(8);
                }
            });
            static mp::Pool pool(2);
            pool.map(
                [](int i) {
                    seen->pids[static_cast<std::size_t>(i)] = ::getpid();
                    ++seen->count;
                    test::eventually([] { return seen->count == 2; });
                },
                test::views::iota(0, 2), {.chunksize = 1});
            static std::optional<mp::AsyncResult<void>> result;
            if (busy) {
                result = pool.apply_async([] {
                    ++seen->count;
                    for (;;) ::pause();
                });
                test::eventually([] { return seen->count == 3; });
            }
            std::exit(7);
            return 0;
        });
        EXPECT_EQ(program.wait().exit_code, 7);
    }
}

TEST_F(PoolSharing, a_forked_child_may_make_pools_and_leaves_its_parents_alone) {
    captured.emplace(2);
    auto pending = captured->apply_async([] { seen->gate.pass(); });
    test::child_program child([] {
        int code = 0;
        try {
            captured->apply(twice, 1);
        } catch (const mp::PoolNotRunning&) {
            code += 1;
        }
        mp::Pool own({.processes = 1, .start_method = mp::start_method::fork});
        if (own.apply(twice, 4) == 8) code += 2;
        captured.reset();
        return code;
    });
    EXPECT_EQ(child.wait().exit_code, 3);
    seen->gate.open();
    EXPECT_NO_THROW(pending.get());
    EXPECT_EQ(captured->apply(twice, 2), 4);
}

}  // namespace pool_sharing_test
