// SPDX-License-Identifier: MIT
// The states of a pool: running, closed, terminated, joined, moved from, copied into a child, destroyed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/pool.hpp"
#include "support/shared.hpp"
#include "support/start.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace pool_lifecycle_test {

namespace mp = test::tested;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> count{0};
    std::array<std::atomic<int>, 8> pids{};
    test::gate gate;
};
test::shared<board> seen;

int twice(int i) { return 2 * i; }
int sum(int a, int b) { return a + b; }
int counts(int i) {
    ++seen->count;
    return i;
}
int waits(int i) {
    ++seen->count;
    seen->gate.pass();
    return i;
}
#if PROCPOOL_TEST_PROCESSES
void never_ends() {
    ++seen->count;
    for (;;) ::pause();
}
#endif

class PoolLifecycle : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

void expect_refuses_everything(mp::Pool& pool) {
    const std::vector<int> input{1, 2};
    const std::vector<std::pair<int, int>> pairs{{1, 2}};
    EXPECT_THROW(pool.apply(twice, 1), mp::PoolNotRunning);
    EXPECT_THROW((void)pool.apply_async(twice, 1), mp::PoolNotRunning);
    EXPECT_THROW(pool.map(twice, input), mp::PoolNotRunning);
    EXPECT_THROW((void)pool.map_async(twice, input), mp::PoolNotRunning);
    EXPECT_THROW(pool.starmap(sum, pairs), mp::PoolNotRunning);
    EXPECT_THROW((void)pool.starmap_async(sum, pairs), mp::PoolNotRunning);
    EXPECT_THROW((void)pool.try_map(twice, input), mp::PoolNotRunning);
    EXPECT_THROW((void)pool.try_starmap(sum, pairs), mp::PoolNotRunning);
    EXPECT_THROW((void)pool.imap(twice, input), mp::PoolNotRunning);
    EXPECT_THROW((void)pool.imap_unordered(twice, input), mp::PoolNotRunning);
    EXPECT_THROW(pool.map(twice, std::vector<int>{}), mp::PoolNotRunning) << "even for nothing";
}

// ---- running

TEST_F(PoolLifecycle, a_running_pool_cannot_be_joined) {
    mp::Pool pool(1);
    EXPECT_THROW(pool.join(), mp::Error);
    EXPECT_EQ(pool.apply(twice, 1), 2);
}

// ---- closed

TEST_F(PoolLifecycle, a_closed_pool_takes_no_more_calls) {
    mp::Pool pool(1);
    pool.close();
    expect_refuses_everything(pool);
    pool.close();
    EXPECT_EQ(pool.size(), 1u);
}

TEST_F(PoolLifecycle, closing_and_joining_drains_all_work) {
    mp::Pool pool(2);
    auto one = pool.apply_async(waits, 1);
    auto many = pool.map_async(counts, test::views::iota(0, 5000), {.chunksize = 1});
    pool.close();
    seen->gate.open();
    pool.join();
    EXPECT_EQ(seen->count, 5001);
    EXPECT_TRUE(one.ready());
    EXPECT_TRUE(many.ready());
    EXPECT_EQ(one.get(), 1);
    EXPECT_EQ(many.get().size(), 5000u);
}

TEST_F(PoolLifecycle, a_stream_that_was_begun_goes_on_after_closing) {
    mp::Pool pool(2);
    auto results = pool.imap(twice, test::views::iota(0, 50));
    pool.close();
    for (int i = 0; i < 50; ++i) ASSERT_EQ(results.next(), 2 * i);
    EXPECT_EQ(results.next(), std::nullopt);
    pool.join();
}

TEST_F(PoolLifecycle, a_call_that_is_being_made_goes_on_after_closing) {
    mp::Pool pool(1);
    std::thread closer;
    const auto closes_at_1000 = test::views::iota(0, 100'000) | test::views::transform([&](int i) {
                                    if (i == 1000) pool.close();
                                    return i;
                                });
    EXPECT_EQ(pool.map(counts, closes_at_1000, {.chunksize = 1}).size(), 100'000u);
    EXPECT_THROW(pool.apply(twice, 1), mp::PoolNotRunning);
}

TEST_F(PoolLifecycle, a_joined_pool_is_over_and_says_so_each_time) {
    mp::Pool pool(2);
    pool.close();
    pool.join();
    pool.join();
    pool.close();
    pool.terminate();
    pool.join();
    expect_refuses_everything(pool);
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(PoolLifecycle, joining_leaves_no_worker_behind) {
    mp::Pool pool(2);
    const auto pids = pool.map([](int) { return ::getpid(); }, test::views::iota(0, 100), {.chunksize = 1});
    pool.close();
    pool.join();
    for (const int pid : pids) EXPECT_EQ(::kill(pid, 0), -1);
}
#endif

TEST_F(PoolLifecycle, several_threads_may_join) {
    mp::Pool pool(2);
    auto work = pool.map_async(waits, test::views::iota(0, 4), {.chunksize = 1});
    pool.close();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            pool.join();
            EXPECT_EQ(seen->count, 4);
        });
    seen->gate.open();
    for (auto& thread : threads) thread.join();
    EXPECT_TRUE(work.ready());
}

// ---- terminated

TEST_F(PoolLifecycle, a_terminated_pool_is_over) {
    mp::Pool pool(2);
    pool.terminate();
    expect_refuses_everything(pool);
    pool.terminate();
    pool.close();
    pool.join();
    pool.terminate();
    expect_refuses_everything(pool);
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(PoolLifecycle, terminating_ends_every_pending_result) {
    mp::Pool pool(2);
    auto finished = pool.apply_async(twice, 4);
    finished.wait();
    auto running = pool.map_async([](int) { never_ends(); }, test::views::iota(0, 2), {.chunksize = 1});
    ASSERT_TRUE(test::eventually([] { return seen->count == 2; }));
    auto queued = pool.apply_async(twice, 1);
    auto many = pool.map_async(twice, test::views::iota(0, 100'000));
    auto stream = pool.imap(twice, test::views::iota(0));
    pool.terminate();
    EXPECT_EQ(finished.get(), 8);
    EXPECT_THROW(running.get(), mp::PoolTerminated);
    EXPECT_THROW(queued.get(), mp::PoolTerminated);
    EXPECT_THROW(many.get(), mp::PoolTerminated);
    EXPECT_THROW(stream.next(), mp::PoolTerminated);
    EXPECT_TRUE(queued.ready());
    EXPECT_FALSE(queued.successful());
}

TEST_F(PoolLifecycle, terminating_busy_workers_does_not_wait_for_them) {
    mp::Pool pool(2);
    auto running = pool.map_async([](int) { never_ends(); }, test::views::iota(0, 2), {.chunksize = 1});
    ASSERT_TRUE(test::eventually([] { return seen->count == 2; }));
    const auto before = std::chrono::steady_clock::now();
    pool.terminate();
    pool.join();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 10s) << "the tasks would take for ever";
}

TEST_F(PoolLifecycle, terminating_wakes_those_who_wait) {
    mp::Pool pool({.processes = 1, .start_method = test::quickest_start});
    auto waiter = std::async(std::launch::async, [&] { pool.apply(never_ends); });
    auto mapper =
        std::async(std::launch::async, [&] { return pool.map(waits, test::views::iota(0, 10'000)); });
    auto streamer = std::async(std::launch::async, [&] {
        for ([[maybe_unused]] int x : pool.imap(waits, test::views::iota(0))) seen->count += 100;
    });
    ASSERT_TRUE(test::eventually([] { return seen->count >= 1; }));
    pool.terminate();
    const auto is_over = [](auto& future) {
        ASSERT_EQ(future.wait_for(test::patience), std::future_status::ready);
        try {
            future.get();
            FAIL() << "no error";
        } catch (const mp::PoolTerminated&) {
        } catch (const mp::PoolNotRunning&) {  // it had come too late
        }
    };
    is_over(waiter);
    is_over(mapper);
    is_over(streamer);
}

TEST_F(PoolLifecycle, terminating_during_try_map_gives_every_element_an_outcome) {
    mp::Pool pool({.processes = 1, .start_method = test::quickest_start});
    auto outcomes = std::async(std::launch::async, [&] {
        return pool.try_map(
            [](int i) {
                ++seen->count;
                if (i == 10) never_ends();
                return i;
            },
            test::views::iota(0, 20'000), {.chunksize = 1});
    });
    ASSERT_TRUE(test::eventually([] { return seen->count == 12; }));
    pool.terminate();
    const std::vector<mp::Outcome<int>> all = outcomes.get();
    ASSERT_EQ(all.size(), 20'000u);
    for (const auto& one : all) {
        if (one.has_value()) continue;
        ASSERT_THROW(one.value(), mp::PoolTerminated);
    }
    EXPECT_FALSE(all.back().has_value());
}
#endif

// ---- destroyed

#if PROCPOOL_TEST_PROCESSES
TEST_F(PoolLifecycle, results_outlive_their_pool) {
    std::optional<mp::Pool> pool(2);
    auto finished = pool->apply_async(twice, 4);
    auto taken = pool->map_async(twice, test::views::iota(0, 3));
    finished.wait();
    taken.wait();
    auto pending = pool->apply_async(never_ends);
    auto stream = pool->imap(waits, test::views::iota(0));
    pool.reset();
    EXPECT_EQ(finished.get(), 8);
    EXPECT_EQ(taken.get(), (std::vector{0, 2, 4}));
    EXPECT_THROW(pending.get(), mp::PoolTerminated);
    EXPECT_THROW(stream.next(), mp::PoolTerminated);
    EXPECT_FALSE(pending.cancel());
    bool told = false;
    pending.error_callback([&](std::exception_ptr) { told = true; });
    EXPECT_TRUE(told);
}
#endif

TEST_F(PoolLifecycle, pools_come_and_go_quickly) {
    for (int i = 0; i < 50; ++i) {
        mp::Pool pool(2);
        if (i % 3 == 0) continue;
        ASSERT_EQ(pool.apply(twice, i), 2 * i);
        if (i % 3 == 1) continue;
        pool.close();
        pool.join();
    }
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(PoolLifecycle, a_pool_may_be_destroyed_by_another_thread) {
    auto pool = std::make_unique<mp::Pool>(2);
    auto pending = pool->apply_async(never_ends);
    std::thread([&] { pool.reset(); }).join();
    EXPECT_THROW(pending.get(), mp::PoolTerminated);
}
#endif

// ---- moved

TEST_F(PoolLifecycle, a_pool_that_was_moved_from_is_empty) {
    mp::Pool first(2);
    auto result = first.apply_async(waits, 3);
    mp::Pool second = std::move(first);
    expect_refuses_everything(first);
    EXPECT_THROW(first.size(), mp::PoolNotRunning);
    EXPECT_THROW(first.close(), mp::PoolNotRunning);
    EXPECT_THROW(first.terminate(), mp::PoolNotRunning);
    EXPECT_THROW(first.join(), mp::PoolNotRunning);
    EXPECT_EQ(second.size(), 2u);
    EXPECT_EQ(second.apply(twice, 4), 8);
    seen->gate.open();
    EXPECT_EQ(result.get(), 3);
    first = mp::Pool(1);
    EXPECT_EQ(first.apply(twice, 4), 8) << "it can be given a pool again";
    static_assert(!std::is_copy_constructible_v<mp::Pool>);
    static_assert(std::is_nothrow_move_constructible_v<mp::Pool>);
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(PoolLifecycle, assignment_ends_the_pool_that_was_there) {
    mp::Pool pool(1);
    auto pending = pool.apply_async(never_ends);
    pool = mp::Pool(3);
    EXPECT_THROW(pending.get(), mp::PoolTerminated);
    EXPECT_EQ(pool.size(), 3u);
    EXPECT_EQ(pool.apply(twice, 4), 8);
}
#endif

TEST_F(PoolLifecycle, pools_can_be_swapped_and_kept_in_containers) {
    std::vector<mp::Pool> pools;
    for (int i = 1; i <= 3; ++i) pools.emplace_back(i);
    pools[0].swap(pools[2]);
    EXPECT_EQ(pools[0].size(), 3u);
    for (auto& pool : pools) EXPECT_EQ(pool.apply(twice, 4), 8);
    pools.erase(pools.begin());
    EXPECT_EQ(pools[1].apply(twice, 4), 8);
}

}  // namespace pool_lifecycle_test
