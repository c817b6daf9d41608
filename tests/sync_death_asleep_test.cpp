// SPDX-License-Identifier: MIT
// Processes that are killed asleep, in each call that blocks, or just woken: the others go on.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>

#include <cstddef>
#include <mutex>

#include "procpool/queue.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/sync.hpp"
#include "support/handles.hpp"
#include "support/kills.hpp"

namespace sync_death_asleep_test {

namespace mp = procpool;
using test::dice;
using test::kills;
using test::partner;
using test::passed;
using test::patience;
using test::wait_a_moment;

/// `call(values...)` sleeps until `wake()`. One sleeps before or after a victim, and is woken when that is
/// dead.
template <class Call, class Wake, class... Values>
void kill_asleep(Call call, Wake wake, const Values&... values) {
    const partner other(call, values...);
    for (int number = 0; number < kills() && !testing::Test::HasFailure(); ++number) {
        const bool is_first = dice() % 2 == 0;
        if (is_first) {
            other.begin();
            wait_a_moment();
        }
        {
            const test::child_program victim(passed(
                [call](const Values&... mine) {
                    (void)call(mine...);
                    return 0;
                },
                values...));
            EXPECT_TRUE(test::falls_asleep(victim));
            if (!is_first) {
                other.begin();
                wait_a_moment();
            }
        }
        wake();
        other.expect_end();
    }
}

TEST(Killed, asleep_in_get_of_a_queue) {
    const mp::Queue<int> queue;
    kill_asleep([](const mp::Queue<int>& mine) { return mine.get() == 1; }, [&] { queue.put(1); }, queue);
    const mp::SimpleQueue<int> simple;
    kill_asleep([](const mp::SimpleQueue<int>& mine) { return mine.get() == 1; }, [&] { simple.put(1); },
                simple);
}

TEST(Killed, asleep_in_put_of_a_queue_that_is_full) {
    const mp::Queue<int> queue(1);
    queue.put(1);
    kill_asleep([](const mp::Queue<int>& mine) { return mine.put(1), true; },
                [&] { EXPECT_EQ(queue.get(patience), 1); }, queue);
}

TEST(Killed, asleep_in_join_of_a_queue) {
    const mp::JoinableQueue<int> queue;
    const mp::Semaphore joined(0);
    queue.put(1);
    kill_asleep(
        [](const mp::JoinableQueue<int>& mine, const mp::Semaphore& over) {
            mine.join();
            over.release();
            return true;
        },
        [&] {
            EXPECT_EQ(queue.get(), 1);
            queue.task_done();
            EXPECT_TRUE(joined.acquire(patience));
            queue.put(1);
        },
        queue, joined);
}

template <class L>
void kill_asleep_at_a_lock() {
    const L lock;
    const mp::Semaphore passed_it(0);
    lock.acquire();
    kill_asleep(
        [](const L& mine, const mp::Semaphore& over) {
            mine.acquire();
            mine.release();
            over.release();
            return true;
        },
        [&] {
            lock.release();
            EXPECT_TRUE(passed_it.acquire(patience));
            lock.acquire();
        },
        lock, passed_it);
    lock.release();
}
TEST(Killed, asleep_at_a_lock) { kill_asleep_at_a_lock<mp::Lock>(); }
TEST(Killed, asleep_at_an_rlock) { kill_asleep_at_a_lock<mp::RLock>(); }

TEST(Killed, asleep_at_a_semaphore) {
    const mp::Semaphore permits(0);
    kill_asleep([](const mp::Semaphore& mine) { return mine.acquire(), true; }, [&] { permits.release(); },
                permits);
    const mp::BoundedSemaphore bounded(1);
    const mp::Semaphore passed_it(0);
    bounded.acquire();
    kill_asleep(
        [](const mp::BoundedSemaphore& mine, const mp::Semaphore& over) {
            mine.acquire();
            mine.release();
            over.release();
            return true;
        },
        [&] {
            bounded.release();
            EXPECT_TRUE(passed_it.acquire(patience));
            bounded.acquire();
        },
        bounded, passed_it);
}

TEST(Killed, asleep_in_wait_for_an_event) {
    const mp::Event event;
    const mp::Semaphore seen(0);
    kill_asleep(
        [](const mp::Event& mine, const mp::Semaphore& over) {
            mine.wait();
            over.release();
            return true;
        },
        [&] {
            event.set();
            EXPECT_TRUE(seen.acquire(patience));
            event.clear();
        },
        event, seen);
}

TEST(Killed, asleep_in_wait_of_a_condition) {
    const mp::Condition condition;
    const mp::SharedArray<int, 1> stock({1});
    kill_asleep(
        [](const mp::Condition& mine, const mp::SharedArray<int, 1>& shared) {
            const std::unique_lock lock(mine);
            mine.wait([&] { return shared[0] > 0; });
            --shared[0];
            return true;
        },
        [&] {
            const std::unique_lock lock(condition);
            ++stock[0];
            condition.notify();
        },
        condition, stock);
}

TEST(Killed, asleep_at_a_barrier) {
    const mp::Barrier barrier(3);
    kill_asleep([](const mp::Barrier& mine) { return mine.wait() < 3; },
                [&] { EXPECT_NO_THROW(barrier.wait(patience)); }, barrier);
}

// ---- those who were woken

/// Meanwhile children run on this one's processor, so that those who are idle run when it sleeps.
class one_processor {
public:
    one_processor() {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t here;
        CPU_ZERO(&here);
        CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &here);
        EXPECT_EQ(::sched_setaffinity(0, sizeof here, &here), 0);
    }
    one_processor(const one_processor&) = delete;
    one_processor& operator=(const one_processor&) = delete;
    ~one_processor() { ::sched_setaffinity(0, sizeof before_, &before_); }

    static void be_idle() {
        const sched_param none{};
        ::sched_setscheduler(0, SCHED_IDLE, &none);
    }

private:
    cpu_set_t before_{};
};

bool has_ended(const test::child_program& child) {
    return test::eventually([&] { return test::look_at(child.pid()).state == 'Z'; });
}

TEST(Killed, when_it_was_woken_for_a_lock_and_another_took_it_first) {
    const one_processor shared;
    const mp::Lock lock;
    const auto mend = [](const mp::LockOwnerDied&) {};
    for (int number = 0; number < kills() / 4 && !HasFailure(); ++number) {
        lock.acquire(mend);
        test::child_program woken(passed(
            [mend](const mp::Lock& mine) {
                one_processor::be_idle();
                mine.acquire(mend);
                return 0;
            },
            lock));
        EXPECT_TRUE(test::falls_asleep(woken));
        test::child_program next(passed(
            [mend](const mp::Lock& mine) {
                mine.acquire(mend);
                mine.release();
                return 0;
            },
            lock));
        EXPECT_TRUE(test::falls_asleep(next));
        lock.release();
        lock.acquire(mend);
        woken.send(SIGKILL);
        EXPECT_TRUE(has_ended(woken));
        lock.release();
        EXPECT_TRUE(has_ended(next)) << "it sleeps though the lock is free";
    }
}

}  // namespace sync_death_asleep_test
