// SPDX-License-Identifier: MIT
// reusable_pool: one pool for a whole program.
#include "procpool/reusable_pool.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/processes.hpp"

namespace reusable_pool_test {

namespace mp = procpool;

/// Leaves nothing behind.
class reusable_pool : public testing::Test {
protected:
    void TearDown() override { mp::end_reusable_pool(); }
};

long process_id() { return ::getpid(); }

TEST_F(reusable_pool, is_the_same_each_time) {
    const auto pool = mp::reusable_pool(1);
    EXPECT_EQ(mp::reusable_pool(1), pool);
    EXPECT_EQ(mp::reusable_pool(), pool);
    EXPECT_EQ(pool->apply([](int x) { return x + 1; }, 1), 2);
}

TEST_F(reusable_pool, has_as_many_workers_as_it_was_told_last) {
    const auto pool = mp::reusable_pool(1);
    const int more = 2 * mp::cpu_count();
    EXPECT_EQ(mp::reusable_pool(more), pool);
    EXPECT_EQ(pool->size(), static_cast<std::size_t>(more));
    const auto larger = mp::reusable_pool(more + 1);  // there was no room for so many
    EXPECT_EQ(larger->size(), static_cast<std::size_t>(more) + 1);
    EXPECT_GT(larger->apply(process_id), 0);
    EXPECT_THROW(mp::reusable_pool(0), std::invalid_argument);
}

TEST_F(reusable_pool, that_was_closed_is_followed_by_another_one) {
    const auto old = mp::reusable_pool(1);
    auto pending = old->apply_async(process_id);
    old->close();
    const auto next = mp::reusable_pool(1);
    EXPECT_NE(next, old);
    EXPECT_NE(next->apply(process_id), pending.get());
    next->terminate();
    EXPECT_GT(mp::reusable_pool(1)->apply(process_id), 0);
}

TEST_F(reusable_pool, goes_on_after_the_death_of_a_worker) {
    EXPECT_THROW(mp::reusable_pool(1)->apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
    const auto pool = mp::reusable_pool(1);
    EXPECT_GT(pool->apply(process_id), 0);
}

TEST_F(reusable_pool, is_one_for_all_threads) {
    std::vector<std::shared_ptr<mp::Pool>> pools(4);
    std::vector<std::thread> threads;
    for (auto& one : pools)
        threads.emplace_back([&one] {
            one = mp::reusable_pool(2);
            EXPECT_GT(one->apply(process_id), 0);
        });
    for (std::thread& one : threads) one.join();
    EXPECT_EQ(std::set(pools.begin(), pools.end()).size(), 1u);
}

TEST_F(reusable_pool, is_another_one_in_a_task) {
    const auto of_the_task = mp::reusable_pool(1)->apply([] {
        const auto inner = mp::reusable_pool(1);
        const std::vector<long> pids{::getpid(), inner->apply(process_id)};
        mp::end_reusable_pool();
        return pids;
    });
    EXPECT_EQ(of_the_task[0], mp::reusable_pool(1)->apply(process_id));
    EXPECT_NE(of_the_task[1], of_the_task[0]);
}

TEST_F(reusable_pool, is_another_one_in_a_forked_child) {
    const auto pool = mp::reusable_pool(1);
    test::child_program child([&] {
        const auto own = mp::reusable_pool(1);
        const int result = own->apply([](int x) { return x + 1; }, 1);
        mp::end_reusable_pool();
        return own != pool && result == 2 ? 0 : 1;
    });
    const test::child_end end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
    EXPECT_EQ(mp::reusable_pool(1), pool);
    EXPECT_GT(pool->apply(process_id), 0);
}

TEST_F(reusable_pool, may_be_asked_for_by_callbacks_of_its_end) {
    std::atomic<int> told{0};
    const auto ask = [&](const std::exception_ptr&) {
        EXPECT_NE(mp::reusable_pool(1), nullptr);
        ++told;
    };
    auto pending = mp::reusable_pool(1)->apply_async([] { ::pause(); });
    pending.error_callback(ask);
    mp::end_reusable_pool();
    EXPECT_EQ(told, 1);
    EXPECT_THROW(pending.get(), mp::PoolTerminated);
}

}  // namespace reusable_pool_test
