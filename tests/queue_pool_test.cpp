// SPDX-License-Identifier: MIT
// Queues, locks and values in the workers of pools, however these are started.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/queue.hpp"
#include "procpool/sync.hpp"
#include "procpool/value.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace queue_pool_test {

namespace mp = procpool;
using namespace std::chrono_literals;

constexpr auto die = [] { ::kill(::getpid(), SIGKILL); };

// ---- through initializers

void cube_for_ever(const mp::Queue<long>& in, const mp::Queue<std::pair<long, long>>& out) {
    for (;;) {
        const long x = in.get();
        if (x == 13) die();
        out.put({x, x * x * x});
    }
}

TEST(QueuePool, workers_take_from_one_queue_and_put_into_another) {
    const mp::Queue<long> in;
    const mp::Queue<std::pair<long, long>> out;
    mp::Pool pool(4, cube_for_ever, in, out);
    for (long x = 14; x < 200; ++x) in.put(x);
    std::vector<std::pair<long, long>> results;
    while (results.size() < 186) results.push_back(out.get(test::patience));
    pool.terminate();
    std::ranges::sort(results);
    for (long x = 14; x < 200; ++x)
        EXPECT_EQ(results[static_cast<std::size_t>(x - 14)], (std::pair{x, x * x * x}));
}

TEST(QueuePool, a_worker_that_dies_with_an_item_loses_that_item_only) {
    const mp::Queue<long> in;
    const mp::Queue<std::pair<long, long>> out;
    mp::Pool pool(2, cube_for_ever, in, out);
    for (long x = 0; x < 50; ++x) in.put(x);
    std::vector<std::pair<long, long>> results;
    while (results.size() < 49) results.push_back(out.get(test::patience));
    EXPECT_FALSE(out.try_get(20ms));
    std::ranges::sort(results);
    EXPECT_EQ(results[12].first, 12);
    EXPECT_EQ(results[13].first, 14);
}

// ---- as arguments

TEST(QueuePool, tasks_take_all_kinds_of_shared_objects_as_arguments) {
    using all = std::tuple<mp::Lock, mp::RLock, mp::Condition, mp::Event, mp::Semaphore, mp::BoundedSemaphore,
                           mp::Barrier, mp::Value<long>, mp::RawValue<long>, mp::Array<long>,
                           mp::SimpleQueue<long>, mp::JoinableQueue<long>>;
    const all objects{mp::Lock(),
                      mp::RLock(),
                      mp::Condition(),
                      mp::Event(),
                      mp::Semaphore(1),
                      mp::BoundedSemaphore(1),
                      mp::Barrier(1),
                      mp::Value<long>(0),
                      mp::RawValue<long>(0),
                      mp::Array<long>(1),
                      mp::SimpleQueue<long>(),
                      mp::JoinableQueue<long>()};
    mp::Pool pool(2);
    const auto use = [](const all& mine, long x) {
        std::get<mp::Semaphore>(mine).acquire();
        std::get<mp::BoundedSemaphore>(mine).acquire();
        {
            const std::scoped_lock locks(std::get<mp::Lock>(mine), std::get<mp::RLock>(mine),
                                         std::get<mp::Condition>(mine));
            std::get<mp::RawValue<long>>(mine).value() += x;
            std::get<mp::Array<long>>(mine)[0] += x;
            std::get<mp::Condition>(mine).notify_all();
        }
        std::get<mp::Barrier>(mine).wait();
        std::get<mp::Value<long>>(mine).update([&](long& sum) { sum += x; });
        std::get<mp::SimpleQueue<long>>(mine).put(x);
        std::get<mp::JoinableQueue<long>>(mine).put(x);
        std::get<mp::BoundedSemaphore>(mine).release();
        std::get<mp::Semaphore>(mine).release();
        std::get<mp::Event>(mine).set();
    };
    pool.map(mp::partial(use, objects), test::views::iota(1L, 21L), {.chunksize = 1});
    EXPECT_EQ(std::get<mp::Value<long>>(objects).value(), 210);
    EXPECT_EQ(std::get<mp::RawValue<long>>(objects).value(), 210);
    EXPECT_EQ(std::get<mp::Array<long>>(objects)[0], 210);
    EXPECT_TRUE(std::get<mp::Event>(objects).is_set());
    EXPECT_EQ(std::get<mp::Semaphore>(objects).get_value(), 1);
    EXPECT_EQ(std::get<mp::BoundedSemaphore>(objects).get_value(), 1);
    long simple = 0, joinable = 0;
    for (int i = 0; i < 20; ++i) {
        simple += std::get<mp::SimpleQueue<long>>(objects).get();
        joinable += std::get<mp::JoinableQueue<long>>(objects).get();
        std::get<mp::JoinableQueue<long>>(objects).task_done();
    }
    EXPECT_EQ(simple, 210);
    EXPECT_EQ(joinable, 210);
    EXPECT_TRUE(std::get<mp::JoinableQueue<long>>(objects).join(0s));
}

TEST(QueuePool, tasks_return_queues_that_they_have_made) {
    mp::Pool pool(1);
    const auto queue = pool.apply([] {
        mp::Queue<std::string> made(3);
        made.put("from a worker");
        return made;
    });
    pool.terminate();
    EXPECT_EQ(queue.get(1s), "from a worker");
    queue.put("more");
    EXPECT_EQ(queue.qsize(), 1);
}

TEST(QueuePool, tasks_meet_at_a_barrier) {
    mp::Pool pool(3);
    const mp::Barrier barrier(3);
    auto indices =
        pool.map(mp::partial([](const mp::Barrier& mine, int) { return mine.wait(test::patience); }, barrier),
                 test::views::iota(0, 3), {.chunksize = 1});
    std::ranges::sort(indices);
    EXPECT_EQ(indices, (std::vector<std::int64_t>{0, 1, 2}));
}

// ---- errors

TEST(QueuePool, errors_come_back_as_their_own_type) {
    mp::Pool pool(1);
    const mp::Queue<int> queue(1);
    EXPECT_THROW(pool.apply([](const mp::Queue<int>& mine) { return mine.get_nowait(); }, queue), mp::Empty);
    queue.put(1);
    EXPECT_THROW(pool.apply([](const mp::Queue<int>& mine) { mine.put_nowait(2); }, queue), mp::Full);
    EXPECT_THROW(pool.apply([](const mp::Queue<int>& mine) { mine.close(), mine.put(2); }, queue),
                 mp::QueueClosed);
    EXPECT_THROW(pool.apply([](const mp::Barrier& mine) { mine.abort(), mine.wait(); }, mp::Barrier(2)),
                 mp::BrokenBarrier);
}

TEST(QueuePool, a_worker_that_dies_with_a_lock_is_told_to_the_next) {
    mp::Pool pool(1);
    const mp::Lock lock;
    const auto take_and_die = [](const mp::Lock& mine) {
        mine.acquire();
        die();
    };
    long pid = 0;
    for (const bool here : {true, false}) {
        try {
            pool.apply(take_and_die, lock);
            FAIL();
        } catch (const mp::WorkerDied& death) {
            pid = death.pid();
        }
        try {
            if (here)
                lock.acquire();
            else
                pool.apply([](const mp::Lock& mine) { mine.acquire(); }, lock);
            FAIL();
        } catch (const mp::LockOwnerDied& death) {
            EXPECT_EQ(death.pid(), pid);
        }
    }
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
}

}  // namespace queue_pool_test
