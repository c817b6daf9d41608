// SPDX-License-Identifier: MIT
// PoolOptions::max_pending and max_pending_bytes: single calls wait for room, or say that there is none.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <future>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "procpool/executor.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace max_pending_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct shared_state {
    test::gate gate;
    std::atomic<int> begun{0};
};
test::shared<shared_state> state;

int wait_at_gate(int i) {
    ++state->begun;
    state->gate.pass();
    return i;
}
int same(int i) { return i; }

template <class Pool>
class MaxPending : public testing::Test {
protected:
    MaxPending() { state.reset(); }
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
struct names {
    template <class Pool>
    static std::string GetName(int) {
        return std::is_same_v<Pool, mp::Pool> ? "Processes" : "Threads";
    }
};
TYPED_TEST_SUITE(MaxPending, pools, names);

TYPED_TEST(MaxPending, is_told_at_once_to_who_tries) {
    TypeParam pool(mp::PoolOptions{.processes = 2, .max_pending = 2});
    auto first = pool.try_apply_async(wait_at_gate, 1);
    auto second = pool.try_apply_async({.name = "second"}, wait_at_gate, 2);
    ASSERT_TRUE(first && second);
    EXPECT_FALSE(pool.try_apply_async(same, 3));
    EXPECT_FALSE(pool.try_apply_async(same, 4));
    state->gate.open();
    EXPECT_EQ(first->get(), 1);
    EXPECT_EQ(second->get(), 2);
    auto later = pool.try_apply_async(same, 5);
    ASSERT_TRUE(later);
    EXPECT_EQ(later->get(), 5);
}

TYPED_TEST(MaxPending, holds_up_who_makes_one_call_more) {
    TypeParam pool(mp::PoolOptions{.processes = 1, .max_pending = 1});
    auto first = pool.apply_async(wait_at_gate, 1);
    std::atomic<bool> returned{false};
    auto more = std::async(std::launch::async, [&] {
        auto second = pool.apply_async(same, 2);
        returned = true;
        return second.get();
    });
    ASSERT_TRUE(test::eventually([] { return state->begun == 1; }));
    EXPECT_FALSE(returned);
    state->gate.open();
    EXPECT_EQ(more.get(), 2);
    EXPECT_EQ(first.get(), 1);
}

TYPED_TEST(MaxPending, is_never_exceeded_and_loses_nothing) {
    TypeParam pool(mp::PoolOptions{.processes = 2, .max_pending = 3});
    std::vector<mp::AsyncResult<int>> calls;
    for (int i = 0; i < 300; ++i) calls.push_back(pool.apply_async(same, i));
    for (int i = 0; i < 300; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)].get(), i);
    // map doesn't count, and isn't held up.
    EXPECT_EQ(pool.map(same, test::views::iota(0, 100)).size(), 100u);
    EXPECT_EQ(pool.apply(same, 7), 7);
}

TYPED_TEST(MaxPending, lets_calls_of_callbacks_pass) {
    TypeParam pool(mp::PoolOptions{.processes = 1, .max_pending = 1});
    std::atomic<int> sum{0};
    auto first = pool.apply_async(wait_at_gate, 1);
    first.callback([&](int) {
        for (int i = 0; i < 20; ++i) pool.apply_async(same, 1).callback([&](int one) { sum += one; });
    });
    state->gate.open();
    EXPECT_TRUE(test::eventually([&] { return sum == 20; }));
    EXPECT_EQ(pool.apply(same, 7), 7);
}

TYPED_TEST(MaxPending, makes_room_for_what_was_cancelled_or_has_failed) {
    TypeParam pool(mp::PoolOptions{.processes = 1, .max_pending = 1});
    auto running = pool.apply_async(wait_at_gate, 1);
    ASSERT_TRUE(test::eventually([] { return state->begun == 1; }));
    EXPECT_TRUE(running.cancel());
    auto next = pool.try_apply_async(same, 2);
    ASSERT_TRUE(next);
    state->gate.open();
    EXPECT_EQ(next->get(), 2);
    EXPECT_THROW(pool.apply([](int) -> int { throw std::runtime_error("no"); }, 1), std::runtime_error);
    EXPECT_TRUE(pool.try_apply_async(same, 3));
}

TYPED_TEST(MaxPending, ends_a_wait_by_a_stop_token_or_with_the_pool) {
    TypeParam pool(mp::PoolOptions{.processes = 1, .max_pending = 1});
    auto running = pool.apply_async(wait_at_gate, 1);
    std::stop_source stop;
    auto stopped = std::async(std::launch::async, [&] {
        return pool.apply_async({.stop = stop.get_token()}, same, 2).exception();
    });
    stop.request_stop();
    EXPECT_THROW(std::rethrow_exception(stopped.get()), mp::TaskCancelled);
    std::atomic<bool> waits{false};
    auto closed = std::async(std::launch::async, [&] {
        waits = true;
        auto late = pool.apply_async(same, 3);
    });
    ASSERT_TRUE(test::eventually([&] { return waits.load(); }));
    pool.close();
    EXPECT_THROW(closed.get(), mp::PoolNotRunning);
    state->gate.open();
    EXPECT_EQ(running.get(), 1);
    pool.join();
}

TEST(MaxPendingBytes, counts_arguments_and_lets_a_large_one_pass_alone) {
    state.reset();
    mp::Pool pool({.processes = 1, .max_pending_bytes = 1000});
    const auto take = [](const std::vector<char>& bytes) {
        state->gate.pass();
        return bytes.size();
    };
    auto large = pool.try_apply_async(take, std::vector<char>(100'000));
    ASSERT_TRUE(large);
    EXPECT_FALSE(pool.try_apply_async(take, std::vector<char>(1)));
    state->gate.open();
    EXPECT_EQ(large->get(), 100'000u);
    state.reset();
    auto some = pool.try_apply_async(take, std::vector<char>(400));
    auto more = pool.try_apply_async(take, std::vector<char>(400));
    EXPECT_TRUE(some && more);
    EXPECT_FALSE(pool.try_apply_async(take, std::vector<char>(400)));
    state->gate.open();
    EXPECT_EQ(some->get() + more->get(), 800u);
}

TEST(MaxPendingOfProcesses, is_freed_by_a_death) {
    mp::Pool pool({.processes = 1, .max_pending = 1});
    auto dies = pool.apply_async([] { ::kill(::getpid(), SIGKILL); });
    EXPECT_EQ(pool.apply(same, 2), 2);  // waits for that
    EXPECT_THROW(dies.get(), mp::WorkerDied);
}

TEST(MaxPendingOfExecutors, is_as_in_pools) {
    state.reset();
    mp::ProcessPoolExecutor executor(mp::PoolOptions{.processes = 1, .max_pending = 1});
    auto first = executor.submit(wait_at_gate, 1);
    EXPECT_FALSE(executor.try_submit(same, 2));
    state->gate.open();
    EXPECT_EQ(first.result(), 1);
    auto second = executor.try_submit(same, 2);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->result(), 2);
    EXPECT_EQ(executor.submit(same, 3).result(), 3);
}

TEST(MaxPendingOfThreads, lets_calls_of_tasks_pass) {
    mp::ThreadPool pool({.processes = 1, .max_pending = 1});
    const auto outer = [&](int i) { return pool.apply_async(same, i).get() + 1; };
    EXPECT_EQ(pool.apply(outer, 1), 2);
}

TEST(MaxPendingWithoutWorkers, has_always_room) {
    mp::Pool pool({.processes = 0, .max_pending = 1});
    auto first = pool.apply_async(same, 1);
    auto second = pool.try_apply_async(same, 2);
    ASSERT_TRUE(second);
    EXPECT_EQ(first.get() + second->get(), 3);
}

TEST(MaxPendingOptions, that_make_no_sense_are_refused) {
    EXPECT_THROW(mp::Pool({.processes = 1, .max_pending = 0}), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .max_pending_bytes = 0}), std::invalid_argument);
    EXPECT_THROW(mp::ThreadPool({.processes = 1, .max_pending = 0}), std::invalid_argument);
    EXPECT_THROW(mp::ThreadPool({.processes = 1, .max_pending_bytes = 10}), std::invalid_argument);
}

}  // namespace max_pending_test
