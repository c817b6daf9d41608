// SPDX-License-Identifier: MIT
// locked(): whether a lock or a semaphore is taken at this moment.
#include <gtest/gtest.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "procpool/lock.hpp"
#include "procpool/process.hpp"
#include "procpool/semaphore.hpp"
#include "support/wait.hpp"

namespace locked_test {

namespace mp = procpool;

template <class LockType>
class Locked : public testing::Test {};
using locks = testing::Types<mp::Lock, mp::RLock>;
TYPED_TEST_SUITE(Locked, locks);

TYPED_TEST(Locked, is_true_while_somebody_holds_it) {
    const TypeParam lock;
    EXPECT_FALSE(lock.locked());
    {
        const std::lock_guard held(lock);
        EXPECT_TRUE(lock.locked()) << "for its holder";
        std::thread([&] { EXPECT_TRUE(lock.locked()) << "and for others"; }).join();
    }
    EXPECT_FALSE(lock.locked());
}

template <class LockType>
void hold(const LockType& lock) {
    lock.acquire();
    for (;;) ::pause();
}

TYPED_TEST(Locked, is_false_when_the_holder_has_died) {
    const TypeParam lock;
    mp::Process holder(&hold<TypeParam>, lock);
    holder.start();
    EXPECT_TRUE(test::eventually([&] { return lock.locked(); }));
    holder.kill();
    holder.join();
    EXPECT_FALSE(lock.locked());
    EXPECT_THROW(lock.acquire(), mp::LockOwnerDied) << "to ask has told nobody of the death";
    lock.acquire();
    EXPECT_TRUE(lock.locked());
    lock.release();
}

TEST(LockedNow, an_rlock_is_free_when_it_was_released_as_often) {
    const mp::RLock lock;
    lock.acquire();
    lock.acquire();
    lock.release();
    EXPECT_TRUE(lock.locked());
    lock.release();
    EXPECT_FALSE(lock.locked());
}

TEST(LockedNow, a_semaphore_is_while_it_has_no_permit) {
    const mp::Semaphore semaphore(2);
    const mp::BoundedSemaphore bounded(1);
    EXPECT_FALSE(semaphore.locked() || bounded.locked());
    semaphore.acquire();
    bounded.acquire();
    EXPECT_FALSE(semaphore.locked());
    EXPECT_TRUE(bounded.locked());
    semaphore.acquire();
    EXPECT_TRUE(semaphore.locked());
    semaphore.release();
    bounded.release();
    EXPECT_FALSE(semaphore.locked() || bounded.locked());
    EXPECT_TRUE(mp::Semaphore(0).locked());
}

}  // namespace locked_test
