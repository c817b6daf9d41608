// SPDX-License-Identifier: MIT
// Processes that are stopped, as a debugger or a job scheduler does it: what they wait for they keep from
// nobody.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "procpool/queue.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/sync.hpp"
#include "procpool/value.hpp"
#include "support/handles.hpp"
#include "support/kills.hpp"

namespace sync_stopped_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::in_child;
using test::passed;
using test::patience;
using test::time_of;

void stop(const test::child_program& child) {
    child.send(SIGSTOP);
    EXPECT_TRUE(test::eventually([&] { return test::look_at(child.pid()).state == 'T'; }));
}

/// A process that sleeps in `call(values...)`.
template <class Call, class... Values>
class sleeper {
public:
    explicit sleeper(Call call, const Values&... values)
        : child_(passed(
              [call](const Values&... mine) {
                  (void)call(mine...);
                  return 0;
              },
              values...)) {
        EXPECT_TRUE(test::falls_asleep(child_));
    }
    void stop() const { sync_stopped_test::stop(child_); }
    void go_on() const { child_.send(SIGCONT); }
    bool has_ended() const {
        return test::eventually([&] { return test::look_at(child_.pid()).state == 'Z'; });
    }

private:
    test::child_program child_;
};

/// Whether `call(values...)`, in another process, returns true, and that in time.
template <class Call, class... Values>
bool does(Call call, const Values&... values) {
    test::child_program child(
        passed([call](const Values&... mine) { return call(mine...) ? 0 : 1; }, values...));
    if (!test::eventually([&] { return test::look_at(child.pid()).state == 'Z'; })) return false;
    return child.wait().exit_code == 0;
}

// ---- while they wait

TEST(Stopped, in_get_of_an_empty_queue_it_keeps_no_items_from_others) {
    const mp::Queue<int> queue;
    const auto get = [](const mp::Queue<int>& mine) { return mine.get(); };
    const sleeper stopped(get, queue);
    stopped.stop();
    ASSERT_TRUE(
        does([](const mp::Queue<int>& mine) { return !mine.try_get() && !mine.try_get(10ms); }, queue));
    for (int i = 0; i < 5; ++i) queue.put(i);
    ASSERT_TRUE(does([](const mp::Queue<int>& mine) { return mine.try_get() == 0; }, queue));
    ASSERT_TRUE(does([](const mp::Queue<int>& mine) { return mine.get_nowait() == 1; }, queue));
    ASSERT_TRUE(does([](const mp::Queue<int>& mine) { return mine.get(500ms) == 2; }, queue));
    ASSERT_TRUE(does([](const mp::Queue<int>& mine) { return mine.try_get(500ms) == 3; }, queue));
    ASSERT_TRUE(does([](const mp::Queue<int>& mine) { return mine.get() == 4; }, queue));
    const sleeper next(get, queue);
    queue.put(5);
    EXPECT_TRUE(next.has_ended()) << "it sleeps though there is an item";
    stopped.go_on();
    queue.put(6);
    EXPECT_TRUE(stopped.has_ended());
}

TEST(Stopped, in_put_of_a_full_queue_it_keeps_no_room_from_others) {
    const mp::Queue<int> queue(1);
    queue.put(0);
    const auto put = [](const mp::Queue<int>& mine) { return mine.put(1), true; };
    const sleeper stopped(put, queue);
    stopped.stop();
    ASSERT_TRUE(does(
        [](const mp::Queue<int>& mine) {
            try {
                mine.put(2, 10ms);
            } catch (const mp::Full&) {
                return !mine.try_put(2);
            }
            return false;
        },
        queue));
    EXPECT_EQ(queue.get(), 0);
    ASSERT_TRUE(does([](const mp::Queue<int>& mine) { return mine.try_put(3); }, queue));
    EXPECT_EQ(queue.get(), 3);
    ASSERT_TRUE(does([](const mp::Queue<int>& mine) { return mine.put_nowait(4), true; }, queue));
    EXPECT_EQ(queue.get(), 4);
    ASSERT_TRUE(does([](const mp::Queue<int>& mine) { return mine.put(5, 500ms), true; }, queue));
    const sleeper next([](const mp::Queue<int>& mine) { return mine.put(6), true; }, queue);
    EXPECT_EQ(queue.get(), 5);
    EXPECT_TRUE(next.has_ended()) << "it sleeps though there is room";
    stopped.go_on();
    EXPECT_EQ(queue.get(), 6);
    EXPECT_TRUE(stopped.has_ended());
}

TEST(Stopped, in_join_of_a_queue_it_keeps_nobody) {
    const mp::JoinableQueue<int> queue;
    queue.put(1);
    const sleeper stopped([](const mp::JoinableQueue<int>& mine) { return mine.join(), true; }, queue);
    stopped.stop();
    ASSERT_TRUE(does([](const mp::JoinableQueue<int>& mine) { return !mine.join(10ms); }, queue));
    ASSERT_TRUE(does([](const mp::JoinableQueue<int>& mine) { return mine.try_get().has_value(); }, queue));
    ASSERT_TRUE(does([](const mp::JoinableQueue<int>& mine) { return mine.task_done(), true; }, queue));
    ASSERT_TRUE(does([](const mp::JoinableQueue<int>& mine) { return mine.join(), true; }, queue));
}

template <class S>
void stop_at_a_semaphore() {
    const S permits(1);
    permits.acquire();
    const auto acquire = [](const S& mine) { return mine.acquire(), true; };
    const sleeper stopped(acquire, permits);
    stopped.stop();
    ASSERT_TRUE(does([](const S& mine) { return !mine.try_acquire() && !mine.acquire(10ms); }, permits));
    const auto take_and_give = [](auto take) {
        return [take](const S& mine) {
            const bool had = take(mine);
            if (had) mine.release();
            return had;
        };
    };
    permits.release();
    ASSERT_TRUE(does(take_and_give([](const S& mine) { return mine.try_acquire(); }), permits));
    ASSERT_TRUE(does(take_and_give([](const S& mine) { return mine.acquire(500ms); }), permits));
    ASSERT_TRUE(does(take_and_give(acquire), permits));
    permits.acquire();
    const sleeper next(take_and_give(acquire), permits);
    permits.release();
    EXPECT_TRUE(next.has_ended()) << "it sleeps though there is a permit";
    stopped.go_on();
    EXPECT_TRUE(stopped.has_ended());
}
TEST(Stopped, at_a_semaphore_it_keeps_no_permits_from_others) { stop_at_a_semaphore<mp::Semaphore>(); }
TEST(Stopped, at_a_bounded_semaphore_it_keeps_no_permits_from_others) {
    stop_at_a_semaphore<mp::BoundedSemaphore>();
}

template <class L>
void stop_at_a_lock() {
    const L lock;
    lock.acquire();
    const sleeper stopped([](const L& mine) { return mine.acquire(), mine.release(), true; }, lock);
    stopped.stop();
    ASSERT_TRUE(does([](const L& mine) { return !mine.try_lock() && !mine.acquire(10ms); }, lock));
    const sleeper next([](const L& mine) { return mine.acquire(), mine.release(), true; }, lock);
    lock.release();
    EXPECT_TRUE(next.has_ended()) << "it sleeps though the lock is free";
    ASSERT_TRUE(does([](const L& mine) { return mine.acquire(500ms) && (mine.release(), true); }, lock));
    stopped.go_on();
    EXPECT_TRUE(stopped.has_ended());
}
TEST(Stopped, at_a_lock_it_keeps_it_from_nobody) {
    stop_at_a_lock<mp::Lock>();
    stop_at_a_lock<mp::RLock>();
}

TEST(Stopped, in_wait_for_an_event_it_keeps_nobody) {
    const mp::Event event;
    const auto wait = [](const mp::Event& mine) { return mine.wait(), true; };
    const sleeper stopped(wait, event), next(wait, event);
    stopped.stop();
    ASSERT_TRUE(does([](const mp::Event& mine) { return !mine.wait(10ms); }, event));
    ASSERT_TRUE(does([](const mp::Event& mine) { return mine.set(), true; }, event));
    EXPECT_TRUE(next.has_ended());
    stopped.go_on();
    EXPECT_TRUE(stopped.has_ended());
}

TEST(Stopped, in_wait_of_a_condition_it_keeps_nobody) {
    const mp::Condition condition;
    const mp::SharedArray<int, 1> stock({1});
    const auto take = [](const mp::Condition& mine, const mp::SharedArray<int, 1>& shared) {
        const std::unique_lock lock(mine);
        mine.wait([&] { return shared[0] > 0; });
        --shared[0];
        return true;
    };
    const sleeper stopped(take, condition, stock), next(take, condition, stock);
    stopped.stop();
    ASSERT_TRUE(does(
        [](const mp::Condition& mine) {
            const std::unique_lock lock(mine);
            return !mine.wait(10ms);
        },
        condition));
    const auto add = [&] {
        const std::unique_lock lock(condition);
        ++stock[0];
        condition.notify();
    };
    add();
    EXPECT_TRUE(next.has_ended());
    stopped.go_on();
    add();
    EXPECT_TRUE(stopped.has_ended());
}

TEST(Stopped, at_a_barrier_it_has_arrived) {
    const mp::Barrier barrier(3);
    const auto wait = [](const mp::Barrier& mine) { return mine.wait() < 3; };
    const sleeper stopped(wait, barrier), next(wait, barrier);
    stopped.stop();
    ASSERT_TRUE(does([](const mp::Barrier& mine) { return mine.wait(patience) < 3; }, barrier));
    EXPECT_TRUE(next.has_ended());
    stopped.go_on();
    EXPECT_TRUE(stopped.has_ended());
}

// ---- wherever they are

/// Stops a process that does `call(values...)` again and again, each time at another point; then `check()`.
template <class Call, class Check, class... Values>
void stop_anywhere(Call call, Check check, const Values&... values) {
    const mp::Event begun;
    test::child_program victim(passed(
        [call](const mp::Event& in_it, const Values&... mine) {
            for (;;) {
                call(mine...);
                in_it.set();
            }
            return 0;
        },
        begun, values...));
    for (int number = 0; number < test::kills() && !testing::Test::HasFailure(); ++number) {
        ASSERT_TRUE(begun.wait(patience)) << "it doesn't go on";
        begun.clear();
        test::wait_a_moment();
        stop(victim);
        check();
        victim.send(SIGCONT);
    }
}

/// A bit longer than calls that don't wait give somebody who may only be slow.
constexpr auto soon = 10s;

TEST(Stopped, anywhere_in_a_queue_it_keeps_no_call_with_a_limit) {
    // Large items, so that it is stopped while they are copied.
    const auto limited_calls = [](const mp::Queue<std::vector<int>>& mine) {
        static const std::vector<int> item(200'000, 1);
        (void)mine.try_put(item);
        try {
            mine.put(item, 1ms);
        } catch (const mp::Full&) {
        }
        (void)mine.try_get();
        (void)mine.try_get(1ms);
    };
    const mp::Queue<std::vector<int>> queue(3);
    stop_anywhere(limited_calls, [&] { EXPECT_LT(time_of([&] { limited_calls(queue); }), soon); }, queue);
}

TEST(Stopped, anywhere_in_a_semaphore_it_keeps_no_call_with_a_limit) {
    const mp::Semaphore permits(1);
    const mp::BoundedSemaphore bounded(1);
    const auto take_and_give = [](const auto& mine) {
        if (mine.acquire(1ms)) mine.release();
        if (mine.try_acquire()) mine.release();
    };
    stop_anywhere([take_and_give](const mp::Semaphore& mine) { take_and_give(mine); },
                  [&] { EXPECT_LT(time_of([&] { take_and_give(permits); }), soon); }, permits);
    stop_anywhere(
        [](const mp::BoundedSemaphore& mine) {
            for (int i = 0; i < 100; ++i) (void)mine.acquire(0ms);
        },
        [&] {
            EXPECT_LT(time_of([&] {
                          (void)bounded.try_acquire();
                          (void)bounded.acquire(1ms);
                          (void)bounded.get_value();
                      }),
                      soon);
        },
        bounded);
}

TEST(Stopped, anywhere_in_a_barrier_it_keeps_no_call_with_a_limit) {
    const mp::Barrier barrier(2);
    stop_anywhere(
        [](const mp::Barrier& mine) {
            try {
                mine.abort();
                mine.reset();
                mine.wait(0ms);
            } catch (const mp::BrokenBarrier&) {
            }
        },
        [&] {
            EXPECT_LT(time_of([&] {
                          barrier.abort();
                          EXPECT_THROW(barrier.wait(1ms), mp::BrokenBarrier);
                      }),
                      soon);
        },
        barrier);
}

}  // namespace sync_stopped_test
