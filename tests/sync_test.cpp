// SPDX-License-Identifier: MIT
// Event, Condition, Semaphore, BoundedSemaphore and Barrier between processes.
#include "procpool/sync.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

#include "procpool/shared_array.hpp"
#include "support/handles.hpp"

namespace sync_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::child_program;
using test::falls_asleep;
using test::in_child;
using test::passed;
using test::time_of;

// ---- Event

TEST(Event, is_set_until_it_is_cleared) {
    const mp::Event event;
    EXPECT_FALSE(event.is_set());
    EXPECT_GE(time_of([&] { EXPECT_FALSE(event.wait(20ms)); }), 20ms);
    event.set();
    event.set();
    EXPECT_TRUE(event.is_set());
    event.wait();
    EXPECT_TRUE(event.wait(0s));
    event.clear();
    event.clear();
    EXPECT_FALSE(event.is_set());
    EXPECT_FALSE(event.wait(0s));
}

TEST(Event, wakes_all_who_wait_for_it_even_if_it_is_cleared_at_once) {
    const mp::Event event;
    const auto wait = [](const mp::Event& mine) { return mine.wait(test::patience) ? 0 : 1; };
    for (int round = 0; round < 3; ++round) {
        child_program first(passed(wait, event)), second(passed(wait, event));
        EXPECT_TRUE(falls_asleep(first));
        EXPECT_TRUE(falls_asleep(second));
        event.set();
        event.clear();
        EXPECT_EQ(first.wait().exit_code, 0);
        EXPECT_EQ(second.wait().exit_code, 0);
    }
}

TEST(Event, tells_threads_what_happened_before) {
    const mp::Event event;
    int value = 0;
    std::thread other([&] {
        value = 3;
        event.set();
    });
    event.wait();
    EXPECT_EQ(value, 3);
    other.join();
}

// ---- Condition

TEST(Condition, brings_processes_to_take_turns) {
    const mp::Condition condition;
    const mp::SharedArray<int, 1> turn({1});
    const auto play = [](const mp::Condition& mine, const mp::SharedArray<int, 1>& shared, int who) {
        for (int round = 0; round < 500; ++round) {
            const std::unique_lock lock(mine);
            mine.wait([&] { return shared[0] % 2 == who; });
            ++shared[0];
            mine.notify();
        }
        return 0;
    };
    child_program first(passed(play, condition, turn, 0)), second(passed(play, condition, turn, 1));
    EXPECT_EQ(first.wait().exit_code, 0);
    EXPECT_EQ(second.wait().exit_code, 0);
    EXPECT_EQ(turn[0], 1000);
}

TEST(Condition, wakes_as_many_as_are_notified) {
    const mp::Condition condition;
    const mp::Semaphore woken(0);
    const mp::SharedArray<int, 1> waiting({1});
    const auto wait = [](const mp::Condition& mine, const mp::Semaphore& told,
                         const mp::SharedArray<int, 1>& count) {
        const std::unique_lock lock(mine);
        ++count[0];
        if (!mine.wait(test::patience)) return 1;
        told.release();
        return 0;
    };
    std::vector<std::unique_ptr<child_program>> children;
    for (int i = 0; i < 4; ++i)
        children.push_back(std::make_unique<child_program>(passed(wait, condition, woken, waiting)));
    EXPECT_TRUE(test::eventually([&] {
        const std::unique_lock lock(condition);  // so those who are counted wait
        return waiting[0] == 4;
    }));
    for (const auto& child : children) EXPECT_TRUE(falls_asleep(*child));
    condition.notify(2);
    EXPECT_TRUE(woken.acquire(test::patience));
    EXPECT_TRUE(woken.acquire(test::patience));
    EXPECT_FALSE(woken.acquire(5ms));
    condition.notify_all();
    for (const auto& child : children) EXPECT_EQ(child->wait().exit_code, 0);
}

TEST(Condition, waits_no_longer_than_it_may) {
    const mp::Condition condition;
    const std::unique_lock lock(condition);
    EXPECT_GE(time_of([&] { EXPECT_FALSE(condition.wait(20ms)); }), 20ms);
    EXPECT_GE(time_of([&] { EXPECT_FALSE(condition.wait([] { return false; }, 20ms)); }), 20ms);
    EXPECT_TRUE(condition.wait([] { return true; }, 0s));
    condition.notify_all();
}

TEST(Condition, frees_a_lock_that_was_taken_several_times_while_it_waits) {
    const mp::RLock lock;
    const mp::Condition condition(lock);
    lock.acquire();
    lock.acquire();
    child_program other(passed(
        [](const mp::RLock& mine, const mp::Condition& same) {
            mine.acquire();
            same.notify();
            mine.release();
            return 0;
        },
        lock, condition));
    EXPECT_TRUE(condition.wait(test::patience));
    EXPECT_EQ(other.wait().exit_code, 0);
    const auto is_free = [](const mp::RLock& mine) { return mine.try_lock() ? (mine.unlock(), 1) : 0; };
    lock.release();
    EXPECT_EQ(in_child(is_free, lock), 0);
    lock.release();
    EXPECT_EQ(in_child(is_free, lock), 1);
}

TEST(Condition, takes_a_lock_to_wait) {
    const mp::Lock lock;
    const mp::Condition condition(lock);
    EXPECT_THROW(condition.wait(), std::system_error);
    EXPECT_THROW(condition.wait(1ms), std::system_error);
    condition.notify();
    EXPECT_THROW(condition.notify(-1), std::invalid_argument);
    const std::scoped_lock held(lock);
    EXPECT_FALSE(condition.try_lock());
    EXPECT_FALSE(condition.wait(1ms));
}

TEST(Condition, tells_one_who_waited_of_a_death_with_the_lock_held) {
    const mp::Condition condition;
    child_program waiting(passed(
        [](const mp::Condition& mine) {
            const std::unique_lock lock(mine);
            try {
                mine.wait();
            } catch (const mp::LockOwnerDied&) {
                mine.notify_all();
                return mine.wait(1ms) ? 1 : 0;  // which takes the lock
            }
            return 2;
        },
        condition));
    EXPECT_TRUE(falls_asleep(waiting));
    EXPECT_EQ(in_child(
                  [](const mp::Condition& mine) {
                      mine.acquire();
                      mine.acquire();
                      mine.notify();
                      ::kill(::getpid(), SIGKILL);
                      return 0;
                  },
                  condition),
              -1);
    EXPECT_EQ(waiting.wait().exit_code, 0);
    EXPECT_TRUE(condition.try_lock());
    condition.unlock();
}

TEST(Condition, is_looked_at_again_though_one_died_that_was_notified) {
    const mp::Condition condition;
    const mp::SharedArray<int, 1> stock({1});
    const auto take = [](const mp::Condition& mine, const mp::SharedArray<int, 1>& shared) {
        const std::unique_lock lock(mine);
        mine.wait([&] { return shared[0] > 0; });
        --shared[0];
        return 0;
    };
    child_program notified(passed(take, condition, stock));
    EXPECT_TRUE(falls_asleep(notified));
    child_program other(passed(take, condition, stock));
    EXPECT_TRUE(falls_asleep(other));
    {
        const std::unique_lock lock(condition);
        ++stock[0];
        condition.notify();
        notified.send(SIGKILL);
        EXPECT_TRUE(test::eventually([&] { return test::look_at(notified.pid()).state == 'Z'; }));
    }
    EXPECT_EQ(other.wait().exit_code, 0);
}

// ---- Semaphore

TEST(Semaphore, has_as_many_permits_as_were_given) {
    const mp::Semaphore semaphore(2);
    semaphore.acquire();
    EXPECT_TRUE(semaphore.try_acquire());
    EXPECT_EQ(semaphore.get_value(), 0);
    EXPECT_FALSE(semaphore.try_acquire());
    EXPECT_GE(time_of([&] { EXPECT_FALSE(semaphore.acquire(20ms)); }), 20ms);
    semaphore.release(5'000);
    EXPECT_EQ(semaphore.get_value(), 5'000);
    for (int i = 0; i < 5'000; ++i) ASSERT_TRUE(semaphore.acquire(0s));
    EXPECT_FALSE(semaphore.try_acquire());
}

TEST(Semaphore, refuses_numbers_that_make_no_sense) {
    EXPECT_THROW(mp::Semaphore(-1), std::invalid_argument);
    EXPECT_THROW(mp::Semaphore(std::int64_t{1} << 31), std::invalid_argument);
    const mp::Semaphore semaphore((std::int64_t{1} << 31) - 1);
    EXPECT_THROW(semaphore.release(), std::invalid_argument);
    EXPECT_THROW(semaphore.release(-1), std::invalid_argument);
}

TEST(Semaphore, wakes_as_many_as_there_are_permits) {
    const mp::Semaphore go(0), done(0);
    const auto work = [](const mp::Semaphore& start, const mp::Semaphore& end) {
        start.acquire();
        end.release();
        return 0;
    };
    std::vector<std::unique_ptr<child_program>> children;
    for (int i = 0; i < 4; ++i) children.push_back(std::make_unique<child_program>(passed(work, go, done)));
    for (const auto& child : children) EXPECT_TRUE(falls_asleep(*child));
    go.release();
    EXPECT_TRUE(done.acquire(test::patience));
    EXPECT_FALSE(done.acquire(5ms));
    go.release(3);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(done.acquire(test::patience));
    for (const auto& child : children) EXPECT_EQ(child->wait().exit_code, 0);
    EXPECT_EQ(go.get_value(), 0);
}

// ---- BoundedSemaphore

TEST(BoundedSemaphore, has_as_many_permits_as_were_given_and_no_more) {
    const mp::BoundedSemaphore semaphore(2);
    EXPECT_THROW(semaphore.release(), std::invalid_argument);
    semaphore.acquire();
    EXPECT_TRUE(semaphore.acquire(1s));
    EXPECT_EQ(semaphore.get_value(), 0);
    EXPECT_FALSE(semaphore.try_acquire());
    EXPECT_GE(time_of([&] { EXPECT_FALSE(semaphore.acquire(20ms)); }), 20ms);
    semaphore.release();
    semaphore.release();
    EXPECT_THROW(semaphore.release(), std::invalid_argument);
    EXPECT_EQ(semaphore.get_value(), 2);
    EXPECT_THROW(mp::BoundedSemaphore(0), std::invalid_argument);
}

TEST(BoundedSemaphore, is_given_to_those_who_wait) {
    const mp::BoundedSemaphore semaphore(1);
    semaphore.acquire();
    child_program child(passed(
        [](const mp::BoundedSemaphore& mine) {
            if (!mine.acquire(test::patience)) return 1;
            mine.release();
            return 0;
        },
        semaphore));
    EXPECT_TRUE(falls_asleep(child));
    semaphore.release();
    EXPECT_EQ(child.wait().exit_code, 0);
    EXPECT_EQ(semaphore.get_value(), 1);
}

TEST(BoundedSemaphore, gets_the_permits_of_a_dead_process_back_and_says_so) {
    const mp::BoundedSemaphore semaphore(2);
    const mp::Event held;
    child_program holder(passed(
        [](const mp::BoundedSemaphore& mine, const mp::Event& both) {
            mine.acquire();
            mine.acquire();
            both.set();
            ::pause();
            return 0;
        },
        semaphore, held));
    held.wait();
    child_program waiting(passed(
        [](const mp::BoundedSemaphore& mine, long pid) {
            try {
                mine.acquire();
            } catch (const mp::LockOwnerDied& death) {
                mine.acquire();
                return death.pid() == pid ? 0 : 1;
            }
            return 2;
        },
        semaphore, holder.pid()));
    EXPECT_TRUE(falls_asleep(waiting));
    holder.send(SIGKILL);
    EXPECT_EQ(waiting.wait().exit_code, 0);
    // It ended with one of the two, and the dead one's other is still to come.
    EXPECT_THROW(semaphore.acquire(), mp::LockOwnerDied);
    semaphore.acquire();
    EXPECT_THROW(semaphore.acquire(), mp::LockOwnerDied);
    semaphore.acquire();
    EXPECT_FALSE(semaphore.try_acquire());
}

// ---- Barrier

TEST(Barrier, lets_nobody_pass_before_all_have_arrived_again_and_again) {
    constexpr int parties = 3, rounds = 300;
    const mp::Barrier barrier(parties);
    const mp::SharedArray<int, 1> arrived({rounds});
    const auto work = [](const mp::Barrier& mine, const mp::SharedArray<int, 1>& count) {
        for (int round = 0; round < rounds; ++round) {
            ++std::atomic_ref(count[round]);
            mine.wait();
            if (std::atomic_ref(count[round]) != parties) return 1;
        }
        return 0;
    };
    std::vector<std::unique_ptr<child_program>> children;
    for (int i = 0; i < parties; ++i)
        children.push_back(std::make_unique<child_program>(passed(work, barrier, arrived)));
    for (const auto& child : children) EXPECT_EQ(child->wait().exit_code, 0);
}

TEST(Barrier, gives_each_who_arrives_another_index) {
    const mp::Barrier barrier(4);
    std::array<std::int64_t, 4> index{};
    std::vector<std::thread> threads;
    for (auto& one : index) threads.emplace_back([&] { one = barrier.wait(); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(std::set<std::int64_t>(index.begin(), index.end()), (std::set<std::int64_t>{0, 1, 2, 3}));
    EXPECT_EQ(mp::Barrier(1).wait(), 0);
    EXPECT_THROW(mp::Barrier(0), std::invalid_argument);
}

constexpr auto is_broken = [](const mp::Barrier& mine) {
    try {
        mine.wait();
    } catch (const mp::BrokenBarrier&) {
        return 0;
    }
    return 1;
};

TEST(Barrier, is_broken_for_all_when_one_waits_too_long) {
    const mp::Barrier barrier(3);
    child_program other(passed(is_broken, barrier));
    EXPECT_TRUE(test::eventually([&] { return barrier.n_waiting() == 1; }));
    EXPECT_GE(time_of([&] { EXPECT_THROW(barrier.wait(20ms), mp::BrokenBarrier); }), 20ms);
    EXPECT_EQ(other.wait().exit_code, 0);
    EXPECT_TRUE(barrier.broken());
    EXPECT_THROW(barrier.wait(), mp::BrokenBarrier);
    barrier.reset();
    EXPECT_FALSE(barrier.broken());
    EXPECT_EQ(barrier.n_waiting(), 0);
}

TEST(Barrier, is_broken_for_all_when_one_aborts_it) {
    const mp::Barrier barrier(2);
    child_program other(passed(is_broken, barrier));
    EXPECT_TRUE(falls_asleep(other));
    barrier.abort();
    EXPECT_EQ(other.wait().exit_code, 0);
    EXPECT_THROW(barrier.wait(), mp::BrokenBarrier);
}

TEST(Barrier, that_is_reset_lets_go_of_those_who_wait_and_works_again) {
    const mp::Barrier barrier(2);
    for (int round = 0; round < 3; ++round) {
        child_program other(passed(is_broken, barrier));
        EXPECT_TRUE(test::eventually([&] { return barrier.n_waiting() == 1; }));
        barrier.reset();
        child_program next(passed([](const mp::Barrier& mine) { return mine.wait(), 0; }, barrier));
        barrier.wait();
        EXPECT_EQ(other.wait().exit_code, 0);
        EXPECT_EQ(next.wait().exit_code, 0);
    }
    EXPECT_EQ(barrier.parties(), 2);
}

TEST(Barrier, counts_one_who_died_while_it_waited) {
    const mp::Barrier barrier(2);
    child_program other(passed(is_broken, barrier));
    EXPECT_TRUE(test::eventually([&] { return barrier.n_waiting() == 1; }));
    other.send(SIGKILL);
    EXPECT_EQ(other.wait().signal, SIGKILL);
    EXPECT_EQ(barrier.wait(), 1);
    EXPECT_EQ(barrier.n_waiting(), 0);
}

// ---- handles

TEST(Sync, objects_are_the_same_after_a_journey) {
    const std::tuple all{mp::Event(), mp::Condition(), mp::Semaphore(3), mp::BoundedSemaphore(3),
                         mp::Barrier(3)};
    const auto arrived = test::returned(all);
    EXPECT_TRUE(arrived == all);
    EXPECT_EQ(std::get<mp::Barrier>(arrived).parties(), 3);
    EXPECT_EQ(std::get<mp::BoundedSemaphore>(arrived).get_value(), 3);
}

TEST(Sync, something_else_in_the_place_of_an_object_is_an_error) {
    const mp::Event event;
    const test::message sent = test::encoded(event);
    EXPECT_NE(test::refusal<mp::Barrier>(sent.bytes.bytes()).find("something else"), std::string::npos);
    EXPECT_NE(test::refusal<mp::Lock>(sent.bytes.bytes()).find("something else"), std::string::npos);
}

}  // namespace sync_test
