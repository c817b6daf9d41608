// SPDX-License-Identifier: MIT
// Lock and RLock between processes, and the deaths of their holders.
#include "procpool/lock.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cereal/types/vector.hpp>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

#include "procpool/shared_array.hpp"
#include "support/handles.hpp"
#include "support/message_of.hpp"

namespace lock_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::in_child;
using test::passed;

constexpr auto die = [] { ::kill(::getpid(), SIGKILL); };

template <class L>
class AnyLock : public testing::Test {};
using locks = testing::Types<mp::Lock, mp::RLock>;
TYPED_TEST_SUITE(AnyLock, locks);

// ---- exclusion

TYPED_TEST(AnyLock, lets_one_process_in_at_a_time) {
    const TypeParam lock;
    const mp::SharedArray<long, 1> count({1});
    const auto add = [](const TypeParam& mine, const mp::SharedArray<long, 1>& shared) {
        volatile long& number = shared[0];
        for (int i = 0; i < 20'000; ++i) {
            const std::lock_guard guard(mine);
            number = number + 1;
        }
        return 0;
    };
    {
        test::child_program first(passed(add, lock, count)), second(passed(add, lock, count));
        EXPECT_EQ(first.wait().exit_code, 0);
        EXPECT_EQ(second.wait().exit_code, 0);
    }
    EXPECT_EQ(count[0], 40'000);
}

TYPED_TEST(AnyLock, lets_one_thread_in_at_a_time) {
    const TypeParam lock;
    long number = 0;
    const auto add = [&] {
        for (int i = 0; i < 5'000; ++i) {
            const std::lock_guard guard(lock);
            ++number;
        }
    };
    std::thread other(add);
    add();
    other.join();
    EXPECT_EQ(number, 10'000);
}

TYPED_TEST(AnyLock, is_refused_to_others_while_it_is_held) {
    const TypeParam lock;
    const auto is_free = [](const TypeParam& mine) {
        if (!mine.try_lock()) return 0;
        mine.unlock();
        return 1;
    };
    lock.acquire();
    EXPECT_EQ(in_child(is_free, lock), 0);
    EXPECT_EQ(in_child([](const TypeParam& mine) { return mine.acquire(20ms) ? 1 : 0; }, lock), 0);
    EXPECT_EQ(in_child([](const TypeParam& mine) { return mine.try_lock_for(1ms) ? 1 : 0; }, lock), 0);
    lock.release();
    EXPECT_EQ(in_child(is_free, lock), 1);
}

TYPED_TEST(AnyLock, is_given_to_the_one_who_waits) {
    const TypeParam lock;
    lock.acquire();
    test::child_program waiting(passed(
        [](const TypeParam& mine) {
            const bool got_it = mine.try_lock_until(std::chrono::system_clock::now() + test::patience);
            return got_it ? 7 : 1;
        },
        lock));
    EXPECT_TRUE(test::falls_asleep(waiting));
    lock.release();
    EXPECT_EQ(waiting.wait().exit_code, 7);
    // It ended with the lock in its hands.
    EXPECT_THROW(lock.acquire(), mp::LockOwnerDied);
}

TYPED_TEST(AnyLock, works_with_the_standard_locks) {
    const TypeParam first, second, third;
    const std::scoped_lock both(first, second);
    EXPECT_EQ(in_child([](const TypeParam& mine) { return mine.try_lock() ? 1 : 0; }, second), 0);
    const std::unique_lock tried(third, std::try_to_lock);
    EXPECT_TRUE(tried);
}

// ---- mistakes

TYPED_TEST(AnyLock, is_released_by_its_holder_only) {
    const TypeParam lock;
    EXPECT_THROW(lock.release(), std::system_error);
    lock.acquire();
    std::thread([&] { EXPECT_THROW(lock.release(), std::system_error); }).join();
    EXPECT_EQ(in_child(
                  [](const TypeParam& mine) {
                      try {
                          mine.release();
                      } catch (const std::system_error& error) {
                          return error.code() == std::errc::operation_not_permitted ? 0 : 1;
                      }
                      return 2;
                  },
                  lock),
              0);
    lock.release();
    EXPECT_THROW(lock.release(), std::system_error);
}

TEST(Lock, is_refused_to_its_holder) {
    const mp::Lock lock;
    lock.acquire();
    try {
        lock.acquire();
        FAIL();
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::resource_deadlock_would_occur);
        EXPECT_NE(std::string(error.what()).find("an RLock can be locked again"), std::string::npos);
    }
    lock.release();
}

TEST(RLock, is_free_when_it_was_released_as_often_as_it_was_locked) {
    const mp::RLock lock;
    const auto is_free = [](const mp::RLock& mine) { return mine.acquire(1ms) ? (mine.release(), 1) : 0; };
    lock.acquire();
    EXPECT_TRUE(lock.try_lock());
    EXPECT_TRUE(lock.acquire(1s));
    for (int locked = 3; locked > 0; --locked) {
        EXPECT_EQ(in_child(is_free, lock), 0);
        lock.release();
    }
    EXPECT_EQ(in_child(is_free, lock), 1);
    EXPECT_THROW(lock.release(), std::system_error);
}

TYPED_TEST(AnyLock, in_a_variable_of_a_forked_child_says_what_to_do) {
    const TypeParam lock;
    test::child_program child([&] {
        try {
            lock.acquire();
        } catch (const mp::Error& error) {
            return std::string(error.what()).find("pass it") != std::string::npos ? 0 : 1;
        }
        return 2;
    });
    EXPECT_EQ(child.wait().exit_code, 0);
}

// ---- deaths

TYPED_TEST(AnyLock, tells_the_next_holder_once_that_the_last_one_died) {
    const TypeParam lock;
    test::child_program child(passed(
        [](const TypeParam& mine) {
            mine.acquire();
            die();
            return 0;
        },
        lock));
    const long pid = child.pid();
    EXPECT_EQ(child.wait().signal, SIGKILL);
    try {
        const std::lock_guard guard(lock);
        FAIL();
    } catch (const mp::LockOwnerDied& error) {
        EXPECT_EQ(error.pid(), pid);
        EXPECT_NE(std::string(error.what()).find(std::to_string(pid)), std::string::npos);
    }
    EXPECT_EQ(in_child([](const TypeParam& mine) { return mine.try_lock() ? (mine.unlock(), 0) : 1; }, lock),
              0);
}

TYPED_TEST(AnyLock, tells_those_who_wait_when_its_holder_dies) {
    const TypeParam lock;
    const test::signal_pipe held;
    test::child_program holder(passed(
        [to = held.sending_end()](const TypeParam& mine) {
            mine.acquire();
            if (mine.try_lock()) mine.acquire();  // as often as possible
            test::signal_pipe::send_to(to);
            ::pause();
            return 0;
        },
        lock));
    EXPECT_TRUE(held.receive());
    test::child_program waiting(passed(
        [](const TypeParam& mine) {
            try {
                mine.acquire();
            } catch (const mp::LockOwnerDied&) {
                return mine.try_lock() ? (mine.unlock(), 0) : 1;
            }
            return 2;
        },
        lock));
    EXPECT_TRUE(test::falls_asleep(waiting));
    holder.send(SIGKILL);
    EXPECT_EQ(waiting.wait().exit_code, 0);
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
}

TYPED_TEST(AnyLock, tells_of_a_thread_that_ended_with_it) {
    const TypeParam lock;
    std::thread([&] { lock.acquire(); }).join();
    EXPECT_THROW((void)lock.try_lock(), mp::LockOwnerDied);
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
}

TYPED_TEST(AnyLock, is_mended_by_the_next_holder_before_others_get_it) {
    const TypeParam lock;
    const auto take_and_die = [](const TypeParam& mine) {
        mine.acquire();
        die();
        return 0;
    };
    int repairs = 0;
    const auto repair = [&](const mp::LockOwnerDied&) {
        ++repairs;
        EXPECT_EQ(in_child([](const TypeParam& mine) { return mine.try_lock() ? 1 : 0; }, lock), 0);
    };
    EXPECT_EQ(in_child(take_and_die, lock), -1);
    lock.acquire(repair);
    lock.release();
    EXPECT_EQ(repairs, 1);
    lock.acquire(repair);
    lock.release();
    EXPECT_EQ(repairs, 1);

    // Who can't mend it leaves that to the next.
    EXPECT_EQ(in_child(take_and_die, lock), -1);
    EXPECT_THROW(lock.acquire([](const mp::LockOwnerDied&) { throw std::range_error("no"); }),
                 std::range_error);
    EXPECT_EQ(in_child(
                  [](const TypeParam& mine) {
                      mine.acquire([](const mp::LockOwnerDied&) { die(); });
                      return 0;
                  },
                  lock),
              -1);
    EXPECT_THROW(lock.acquire(), mp::LockOwnerDied);
    lock.acquire();
    lock.release();
}

// ---- handles

TYPED_TEST(AnyLock, is_the_same_lock_after_a_journey_also_inside_of_others) {
    const TypeParam lock;
    const std::vector<TypeParam> several{lock, TypeParam()};
    const auto [arrived, copies] = test::returned(std::tuple(lock, several));
    EXPECT_TRUE(arrived == lock);
    EXPECT_TRUE(copies.at(0) == lock);
    EXPECT_FALSE(copies.at(1) == lock);
    const std::lock_guard guard(arrived);
    EXPECT_EQ(in_child([](const TypeParam& mine) { return mine.try_lock() ? 1 : 0; }, lock), 0);
}

TYPED_TEST(AnyLock, stays_held_when_its_holder_drops_the_handle) {
    const TypeParam lock;
    auto take = passed([](const TypeParam& mine) { return mine.acquire(1s) ? 0 : 1; }, lock);
    auto give = passed([](const TypeParam& mine) { return mine.release(), 0; }, lock);
    test::child_program child([&] { return take() + give(); });
    EXPECT_EQ(child.wait().exit_code, 0);
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
}

}  // namespace lock_test
