// SPDX-License-Identifier: MIT
// Processes that are killed at random points of each call that blocks: the others go on.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/vector.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include "procpool/queue.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/sync.hpp"
#include "procpool/value.hpp"
#include "support/handles.hpp"
#include "support/kills.hpp"

namespace sync_death_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::kills;
using test::partner;
using test::passed;
using test::patience;
using test::wait_a_moment;

/// A process that calls `body(values...)` again and again until it is killed, at some moment.
class victim {
public:
    template <class Body, class... Values>
    explicit victim(Body body, const Values&... values)
        : child_(passed(
              [body, begun = begun_.sending_end()](const Values&... mine) {
                  // To open what was passed is none of the calls that are tested.
                  test::signal_pipe::send_to(begun);
                  for (;;) body(mine...);
                  return 0;
              },
              values...)) {
        EXPECT_TRUE(begun_.receive());
    }
    victim(const victim&) = delete;
    victim& operator=(const victim&) = delete;
    ~victim() {
        wait_a_moment();
        child_.send(SIGKILL);
        const test::child_end end = child_.wait();
        EXPECT_EQ(end.signal, SIGKILL) << "a victim has ended by itself: " << end.errors;
    }

private:
    test::signal_pipe begun_;
    test::child_program child_;
};

/// One victim after the other calls `call(its number, values...)`, and when it is dead comes `check()`.
template <class Call, class Check, class... Values>
void kill_many(Call call, Check check, const Values&... values) {
    for (int number = 0; number < kills() && !testing::Test::HasFailure(); ++number) {
        {
            const victim one([call, number](const Values&... mine) { call(number, mine...); }, values...);
        }
        check();
    }
}

// ---- Queue

struct item {
    int putter = -1;
    int number = 0;
};

/// Bytes that are copied into the queue, and what is encoded before.
using copied_items = std::vector<item>;
using encoded_items = std::vector<std::tuple<item, std::string>>;

item content(const copied_items& items) { return items.back(); }
item content(const encoded_items& items) { return std::get<item>(items.back()); }

/// Small items and large ones, so that deaths come while bytes are copied, too.
template <class Items>
Items some(int putter, int number) {
    const item each{putter, number};
    const std::size_t size = number % 8 == 0 ? 20'000 : 1;
    if constexpr (std::same_as<Items, copied_items>)
        return Items(size, each);
    else
        return Items(size / 10 + 1, {each, "text"});
}

/// Sees that each putter's items come in order, each of them once.
template <class Items>
int receive_in_order(const mp::Queue<Items>& queue, const mp::SharedArray<int, 1>& received) {
    for (;;) {
        const Items got = queue.get(patience);
        if (got.empty()) return 0;
        const auto [putter, number] = content(got);
        if (got.size() != some<Items>(putter, number).size() || received[putter] != number) return 1;
        ++received[putter];
    }
}

template <class Items>
void kill_in_put(int maxsize) {
    const mp::Queue<Items> queue(maxsize);
    const mp::SharedArray<int, 1> put({kills() + 1}), received({kills() + 1});
    const int own = kills();
    test::child_program receiver(passed(receive_in_order<Items>, queue, received));
    kill_many(
        [](int me, const auto& mine, const mp::SharedArray<int, 1>& sent) {
            mine.put(some<Items>(me, sent[me]));
            ++sent[me];
        },
        [&] {
            queue.put(some<Items>(own, put[own]), patience);
            ++put[own];
        },
        queue, put);
    queue.put({}, patience);
    EXPECT_EQ(receiver.wait().exit_code, 0);
    EXPECT_EQ(received[own], put[own]);
    for (int victim = 0; victim < own; ++victim) {
        EXPECT_GE(received[victim], put[victim]);
        EXPECT_LE(received[victim], put[victim] + 1) << "more than the last one was put without its putter";
    }
}
TEST(Killed, in_put_of_a_queue) { kill_in_put<copied_items>(0); }
TEST(Killed, in_put_of_a_queue_that_is_mostly_full) { kill_in_put<copied_items>(2); }
TEST(Killed, in_put_of_what_is_encoded) { kill_in_put<encoded_items>(0); }

template <class Items>
void kill_in_get() {
    const mp::Queue<Items> queue(20);
    constexpr int a_round = 20;
    const mp::SharedArray<int, 1> seen({kills() * a_round});
    const auto take = [](const mp::Queue<Items>& mine, const mp::SharedArray<int, 1>& all) {
        const Items got = mine.get(patience);
        if (!got.empty()) ++std::atomic_ref(all[content(got).number]);
        return !got.empty();
    };
    test::child_program survivor(passed(
        [take](const auto& mine, const auto& all) {
            while (take(mine, all)) ::usleep(50);
            return 0;
        },
        queue, seen));
    int next = 0;
    const auto put_round = [&] {
        for (int i = 0; i < a_round; ++i, ++next) queue.put(some<Items>(0, next), patience);
    };
    for (int number = 0; number < kills() && !testing::Test::HasFailure(); ++number) {
        const victim one(take, queue, seen);
        put_round();
    }
    queue.put({}, patience);
    EXPECT_EQ(survivor.wait().exit_code, 0);
    EXPECT_LE(std::ranges::count(seen, 0), kills()) << "more was lost than an item a death";
    EXPECT_LE(*std::ranges::max_element(seen), 1) << "an item came twice";
}
TEST(Killed, in_get_of_a_queue) { kill_in_get<copied_items>(); }
TEST(Killed, in_get_of_what_is_decoded) { kill_in_get<encoded_items>(); }

TEST(Killed, in_put_and_get_of_shared_arrays) {
    using array = mp::SharedArray<int, 1>;
    const mp::Queue<array> queue(3);
    const int own = kills();
    kill_many(
        [](int me, const mp::Queue<array>& mine) {
            mine.put(array::of({me}));
            try {
                (void)mine.get();
            } catch (const mp::SerializationError&) {  // its sender is dead
            }
        },
        [&] {
            for (bool is_there = true; is_there;) {
                try {
                    is_there = queue.try_get().has_value();
                } catch (const mp::SerializationError&) {
                }
            }
            queue.put(array::of({own}), patience);
            EXPECT_EQ(queue.get(patience)[0], own);
        },
        queue);
}

TEST(Killed, in_task_done_of_a_joinable_queue) {
    const mp::JoinableQueue<int> queue;
    kill_many(
        [](int, const mp::JoinableQueue<int>& mine) {
            mine.put(1);
            if (mine.try_get()) mine.task_done();
            mine.join(1ms);
        },
        [&] {
            queue.put(1);
            EXPECT_FALSE(queue.join(0s));
            while (queue.try_get()) {
            }
            // Those of the dead among them.
            try {
                for (;;) queue.task_done();
            } catch (const std::invalid_argument&) {
            }
            EXPECT_TRUE(queue.join(patience));
        },
        queue);
}

// ---- locks

template <class L>
void kill_with_a_lock() {
    const L lock;
    const mp::SharedArray<int, 1> pair({2});  // equal unless somebody is at it
    const auto change = [](const L& mine, const mp::SharedArray<int, 1>& shared) {
        mine.acquire([&](const mp::LockOwnerDied&) { shared[1] = shared[0]; });
        const bool equal = shared[0] == shared[1];
        ++std::atomic_ref(shared[0]);
        ++std::atomic_ref(shared[1]);
        mine.release();
        return equal;
    };
    const mp::Event stop;
    test::child_program survivor(passed(
        [change](const L& mine, const mp::SharedArray<int, 1>& shared, const mp::Event& over) {
            while (!over.is_set())
                if (!change(mine, shared)) return 1;
            return 0;
        },
        lock, pair, stop));
    kill_many([change](int, const L& mine, const mp::SharedArray<int, 1>& shared) { change(mine, shared); },
              [&] {
                  bool taken = false;
                  for (int tries = 0; !taken && tries < 2; ++tries) {
                      try {
                          taken = lock.acquire(patience);
                      } catch (const mp::LockOwnerDied&) {
                          pair[1] = pair[0];
                      }
                  }
                  ASSERT_TRUE(taken);
                  pair[1] = pair[0];
                  lock.release();
              },
              lock, pair);
    stop.set();
    EXPECT_EQ(survivor.wait().exit_code, 0);
}
TEST(Killed, with_a_lock) { kill_with_a_lock<mp::Lock>(); }
TEST(Killed, with_an_rlock) { kill_with_a_lock<mp::RLock>(); }

TEST(Killed, in_update_of_a_value) {
    struct twins {
        long a = 0, b = 0;
    };
    const mp::Value<twins> value;
    kill_many([](int, const mp::Value<twins>& mine) { mine.update([](twins& pair) { ++pair.a, ++pair.b; }); },
              [&] {
                  const twins now = value.value();
                  EXPECT_EQ(now.a, now.b);
                  value.update([](twins& pair) { ++pair.a, ++pair.b; });
              },
              value);
}

// ---- semaphores

TEST(Killed, in_acquire_of_a_semaphore) {
    const mp::Semaphore permits(0);
    const mp::Event stop;
    test::child_program survivor(passed(
        [](const mp::Semaphore& mine, const mp::Event& over) {
            while (!over.is_set()) mine.acquire();
            return 0;
        },
        permits, stop));
    const auto all_taken = [&] { return permits.get_value() == 0; };
    for (int number = 0; number < kills() && !HasFailure(); ++number) {
        {
            const victim one([](const mp::Semaphore& mine) { mine.acquire(); }, permits);
            for (int i = 0; i < 20; ++i) permits.release();
        }
        permits.release();
        EXPECT_TRUE(test::eventually(all_taken)) << "somebody sleeps while there are permits";
    }
    stop.set();
    permits.release();
    EXPECT_EQ(survivor.wait().exit_code, 0);
}

TEST(Killed, with_permits_of_a_bounded_semaphore) {
    const mp::BoundedSemaphore permits(2);
    kill_many(
        [](int, const mp::BoundedSemaphore& mine) {
            mine.acquire();
            mine.release();
        },
        [&] {
            for (int mine = 0; mine < 2;) {
                try {
                    ASSERT_TRUE(permits.acquire(patience));
                    ++mine;
                } catch (const mp::LockOwnerDied&) {
                }
            }
            permits.release();
            permits.release();
        },
        permits);
    EXPECT_EQ(permits.get_value(), 2);
}

// ---- Event, Condition, Barrier

TEST(Killed, in_calls_of_an_event) {
    const mp::Event event;
    const partner other([](const mp::Event& mine) { return mine.wait(patience); }, event);
    kill_many(
        [](int, const mp::Event& mine) {
            mine.set();
            mine.clear();
            mine.wait(100us);
        },
        [&] {
            event.clear();
            other.begin();
            wait_a_moment();
            event.set();
            other.expect_end();
        },
        event);
}

TEST(Killed, in_set_of_an_event_for_which_others_wait) {
    const mp::Event event;
    for (int number = 0; number < kills() && !HasFailure(); ++number) {
        event.clear();
        test::child_program waits(
            passed([](const mp::Event& mine) { return mine.wait(patience) ? 0 : 1; }, event));
        {
            const victim one([](const mp::Event& mine) { mine.set(), ::pause(); }, event);
        }
        // Where the flag is set, nobody sleeps.
        if (!event.is_set()) event.set();
        EXPECT_EQ(waits.wait().exit_code, 0);
    }
}

TEST(Killed, in_calls_of_a_condition) {
    const mp::Condition condition;
    const mp::SharedArray<int, 1> number({1});
    const auto lock_it = [](const mp::Condition& mine) {
        try {
            mine.acquire();
        } catch (const mp::LockOwnerDied&) {
            mine.acquire();
        }
    };
    const partner other(
        [lock_it](const mp::Condition& mine, const mp::SharedArray<int, 1>& shared) {
            lock_it(mine);
            bool changed = false;
            const int before = shared[0];
            for (int tries = 0; !changed && tries < 3; ++tries) {
                try {
                    changed = mine.wait([&] { return shared[0] < before; }, patience);
                } catch (const mp::LockOwnerDied&) {
                }
            }
            mine.release();
            return changed;
        },
        condition, number);
    kill_many(
        [lock_it](int, const mp::Condition& mine, const mp::SharedArray<int, 1>& shared) {
            lock_it(mine);
            shared[0] = shared[0];
            mine.notify();
            mine.wait(100us);
            mine.release();
        },
        [&] {
            other.begin();
            wait_a_moment();
            // It may only be about to wait.
            EXPECT_TRUE(test::eventually([&] {
                lock_it(condition);
                --number[0];
                condition.notify_all();
                condition.release();
                return other.ends_soon();
            }));
        },
        condition, number);
}

TEST(Killed, in_calls_of_a_barrier) {
    const mp::Barrier barrier(2);
    const partner other(
        [](const mp::Barrier& mine) {
            try {
                mine.wait(patience);
            } catch (const mp::BrokenBarrier&) {
                return false;
            }
            return true;
        },
        barrier);
    kill_many(
        [](int, const mp::Barrier& mine) {
            try {
                mine.wait(50us);
            } catch (const mp::BrokenBarrier&) {
                mine.reset();
            }
        },
        [&] {
            barrier.reset();
            other.begin();
            EXPECT_NO_THROW(barrier.wait(patience));
            other.expect_end();
        },
        barrier);
}

TEST(Killed, at_a_barrier_at_which_others_wait) {
    const mp::Barrier barrier(2);
    const mp::Event stop;
    const auto meet = [](const mp::Barrier& mine) {
        try {
            mine.wait(200ms);
        } catch (const mp::BrokenBarrier&) {
            mine.reset();
        }
    };
    test::child_program survivor(passed(
        [meet](const mp::Barrier& mine, const mp::Event& over) {
            while (!over.is_set()) meet(mine);
            return 0;
        },
        barrier, stop));
    kill_many([meet](int, const mp::Barrier& mine) { meet(mine); }, [] {}, barrier);
    stop.set();
    EXPECT_EQ(survivor.wait().exit_code, 0);
}

}  // namespace sync_death_test
