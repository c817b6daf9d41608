// SPDX-License-Identifier: MIT
// A lock between processes whose holder may die.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_ROBUST_MUTEX_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_ROBUST_MUTEX_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/held_locks.hpp"
#include "procpool/detail/os/process_identity.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/kernel_objects.hpp"
#include "procpool/detail/os/windows/random.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::os {

enum class lock_result {
    taken,
    inherited,  // taken, and its last holder died with it: what it guards may be half changed
    busy,       // until the deadline
    own,        // this thread holds it already
};

/// A mutex of the system's, which knows of its holder's death, by a name that lies in memory that processes
/// share. Who holds it says so there, too: if all that had it open have died, the system has forgotten.
class robust_mutex {
public:
    robust_mutex() : mark_(right_mark), name_(make_random_words()) {}
    robust_mutex(const robust_mutex&) = delete;
    robust_mutex& operator=(const robust_mutex&) = delete;

    lock_result lock() { return lock_until(steady_time::max()); }
    lock_result try_lock() { return wait(0); }

    /// For what is held for moments only. It is `busy` at the deadline, but not before a time after which its
    /// holder must be stopped: who doesn't want to wait still gets it.
    lock_result lock_soon(steady_time deadline) {
        constexpr std::chrono::milliseconds moments{100};
        const lock_result result = try_lock();
        if (result != lock_result::busy) return result;
        return lock_until(std::max(deadline, std::chrono::steady_clock::now() + moments));
    }

    lock_result lock_until(steady_time deadline) {
        constexpr std::chrono::milliseconds at_once{60'000};
        for (;;) {
            const auto now = std::chrono::steady_clock::now();
            const auto left = deadline <= now ? std::chrono::nanoseconds(0)
                                              : std::min<std::chrono::nanoseconds>(at_once, deadline - now);
            const lock_result result =
                wait(static_cast<unsigned long>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
            if (result != lock_result::busy || deadline <= now) return result;
        }
    }

    /// @return false if this thread doesn't hold it
    bool unlock() {
        if (holder_.load(std::memory_order_relaxed) != own_number()) return false;
        holder_.store(0, std::memory_order_relaxed);
        succeed(::ReleaseMutex(handle()), "ReleaseMutex");
        return true;
    }

    /// Whether a thread that lives holds it, at this moment; also true where that can't be known.
    bool may_be_held() noexcept { return holder_.load(std::memory_order_relaxed) != 0; }

private:
    static constexpr std::uint64_t right_mark = 0x70'72'6f'63'6d'75'74'78;

    /// Of this thread. The number of a process goes to another one, but not with the moment of its start.
    static std::uint64_t own_number() noexcept {
        static const std::uint64_t process =
            (own_identity().started ^ static_cast<std::uint64_t>(own_identity().pid)) << 32;
        return process | ::GetCurrentThreadId();
    }
    native_file handle() const {
        if (mark_ != right_mark)
            throw Error(
                "procpool: the memory of a lock, which queues and other shared objects have, too, is damaged: "
                "a process has written where it should not");
        return kernel_objects::instance().get(
            this, name_, "lock", [](const wchar_t* name) { return ::CreateMutexW(nullptr, 0, name); });
    }
    lock_result wait(unsigned long milliseconds) {
        if (holder_.load(std::memory_order_relaxed) == own_number()) return lock_result::own;
        const unsigned long result = ::WaitForSingleObject(handle(), milliseconds);
        if (result == api::wait_timeout) return lock_result::busy;
        if (result != api::wait_object && result != api::wait_abandoned)
            throw_last_error("WaitForSingleObject (a lock)");
        const bool was_left = holder_.exchange(own_number(), std::memory_order_relaxed) != 0;
        return was_left || result == api::wait_abandoned ? lock_result::inherited : lock_result::taken;
    }

    const std::uint64_t mark_;
    const random_words name_;
    std::atomic<std::uint64_t> holder_{0};
};

}  // namespace procpool::inline v0_1::detail::os

#endif
