// SPDX-License-Identifier: MIT
// A lock in shared memory that tells of the death of its holder.
#ifndef PROCPOOL_DETAIL_SHARED_OWNED_LOCK_HPP
#define PROCPOOL_DETAIL_SHARED_OWNED_LOCK_HPP

#include <atomic>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/pid.hpp"
#include "procpool/detail/os/robust_mutex.hpp"
#include "procpool/detail/os/this_process.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::shared {

struct lock_state {
    static constexpr const char* name = "Lock";

    os::robust_mutex mutex;
    /// The process whose death with the lock is to be told, if it has it.
    std::atomic<std::int64_t> holder{0};
    /// One of whose death nobody has been told.
    std::atomic<std::int64_t> dead{0};
    /// How often the holder has locked it.
    std::atomic<std::uint32_t> depth{0};
};

/// What becomes of a thread that holds the lock and locks it again.
enum class relock { refused, counted };
/// Whether the next holder is to know that one died while it had the lock.
enum class death { told, of_no_matter };

inline LockOwnerDied owner_died(std::int64_t pid) {
    return LockOwnerDied("procpool: process " + std::to_string(pid) +
                             " died while it held this lock: what the lock guards may be half changed",
                         os::to_pid(pid));
}

/// A lock_state, wherever it lies, and what can be done with it.
class owned_lock {
public:
    explicit owned_lock(const object<lock_state>& state) noexcept : state_(state) {}

    /// @return false if it is busy until the deadline
    /// @throws LockOwnerDied with the lock free again
    bool lock_until(steady_time deadline, relock again, death matters = death::told) const {
        lock_state& lock = *state_;
        return taken(lock, lock.mutex.lock_until(deadline), again, matters);
    }
    bool try_lock(relock again) const {
        lock_state& lock = *state_;
        const os::lock_result result = lock.mutex.try_lock();
        if (result == os::lock_result::own && again == relock::refused) return false;
        return taken(lock, result, again, death::told);
    }

    /// Calls `repair` with the lock held, instead of throwing; if that throws, the next holder is told again.
    template <class Repair>
    void lock_repairing(relock again, Repair&& repair) const {
        lock_state& lock = *state_;
        const os::lock_result result = lock.mutex.lock();
        if (is_own(lock, result, again)) return;
        begin(lock, result);
        hold(lock, death::told);
        const std::int64_t dead = lock.dead.load(std::memory_order_relaxed);
        if (dead == 0) return;
        try {
            std::forward<Repair>(repair)(owner_died(dead));
        } catch (...) {
            unlock();
            throw;
        }
        lock.dead.store(0, std::memory_order_relaxed);
    }

    /// Undoes one lock. @throws std::system_error if this thread doesn't hold it
    void unlock() const {
        lock_state& lock = *state_;
        require_own(lock);
        const std::uint32_t depth = lock.depth.load(std::memory_order_relaxed);
        lock.depth.store(depth - 1, std::memory_order_relaxed);
        if (depth == 1) release(lock);
    }

    /// Undoes all. @return how often it was locked
    std::uint32_t unlock_all() const {
        lock_state& lock = *state_;
        require_own(lock);
        const std::uint32_t depth = lock.depth.exchange(0, std::memory_order_relaxed);
        release(lock);
        return depth;
    }
    /// Redoes them. @throws LockOwnerDied with the lock held
    void lock_again(std::uint32_t depth) const {
        lock_state& lock = *state_;
        begin(lock, lock.mutex.lock());
        hold(lock, death::told);
        lock.depth.store(depth, std::memory_order_relaxed);
        if (const std::int64_t dead = lock.dead.exchange(0, std::memory_order_relaxed))
            throw owner_died(dead);
    }

    /// Whether somebody holds it, at this moment.
    bool is_locked() const noexcept {
        return state_->depth.load(std::memory_order_relaxed) != 0 && state_->mutex.may_be_held();
    }

    const object<lock_state>& state() const noexcept { return state_; }

private:
    bool taken(lock_state& lock, os::lock_result result, relock again, death matters) const {
        if (result == os::lock_result::busy) return false;
        if (is_own(lock, result, again)) return true;
        begin(lock, result);
        if (const std::int64_t dead = lock.dead.exchange(0, std::memory_order_relaxed)) {
            lock.mutex.unlock();
            throw owner_died(dead);
        }
        hold(lock, matters);
        return true;
    }

    static bool is_own(lock_state& lock, os::lock_result result, relock again) {
        if (result != os::lock_result::own) return false;
        if (again == relock::refused)
            throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                    "procpool: this thread holds the Lock already; an RLock can be locked "
                                    "again by its holder");
        lock.depth.fetch_add(1, std::memory_order_relaxed);
        return true;
    }

    static void begin(lock_state& lock, os::lock_result result) noexcept {
        if (result != os::lock_result::inherited) return;
        // Whoever dies in here leaves it to the next.
        if (const std::int64_t holder = lock.holder.load(std::memory_order_relaxed))
            lock.dead.store(holder, std::memory_order_relaxed);
        lock.holder.store(0, std::memory_order_relaxed);
        lock.depth.store(0, std::memory_order_relaxed);
    }

    void hold(lock_state& lock, death matters) const noexcept {
        lock.depth.store(1, std::memory_order_relaxed);
        if (matters == death::told) lock.holder.store(os::own_pid(), std::memory_order_relaxed);
        // What is locked must be there when the kernel looks for it, whatever becomes of the handles.
        state_.segment()->keep(state_.segment());
    }

    void release(lock_state& lock) const {
        const auto kept = state_.segment()->let_go();
        lock.holder.store(0, std::memory_order_relaxed);
        lock.mutex.unlock();
    }

    static void require_own(lock_state& lock) {
        if (lock.depth.load(std::memory_order_relaxed) > 0) {
            const os::lock_result result = lock.mutex.try_lock();
            if (result == os::lock_result::own) return;
            begin(lock, result);
            if (result != os::lock_result::busy) lock.mutex.unlock();
        }
        throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                                "procpool: a lock is released by the thread that holds it; for a signal to "
                                "others use a Semaphore or an Event");
    }

    object<lock_state> state_;
};

}  // namespace procpool::inline v0_1::detail::shared

#endif
