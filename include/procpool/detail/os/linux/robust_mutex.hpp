// SPDX-License-Identifier: MIT
// A mutex between processes that learns of the death of its holder.
#ifndef PROCPOOL_DETAIL_OS_LINUX_ROBUST_MUTEX_HPP
#define PROCPOOL_DETAIL_OS_LINUX_ROBUST_MUTEX_HPP

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/held_locks.hpp"
#include "procpool/detail/os/thread_sanitizer.hpp"
#include "procpool/detail/os/timespec.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::os {

enum class lock_result {
    taken,
    inherited,  // taken, and its last holder died with it: what it guards may be half changed
    busy,       // until the deadline
    own,        // this thread holds it already
};

/// Lies in memory that processes share. A thread that has it locked must keep that memory mapped until it has
/// unlocked it, since the kernel looks there when the thread ends. To lock it throws
/// - std::system_error with errc::no_lock_available if this thread holds as many as the kernel would free,
/// - Error if what lies there is no mutex any more, or is held by nobody who lives.
class robust_mutex {
public:
    robust_mutex() {
        pthread_mutexattr_t kind;
        succeed(::pthread_mutexattr_init(&kind), "pthread_mutexattr_init");
        ::pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
        ::pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
        ::pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
        const int error = ::pthread_mutex_init(&mutex_, &kind);
        ::pthread_mutexattr_destroy(&kind);
        succeed(error, "pthread_mutex_init");
    }
    robust_mutex(const robust_mutex&) = delete;
    robust_mutex& operator=(const robust_mutex&) = delete;

    lock_result lock() { return lock_until(steady_time::max()); }

    lock_result try_lock() {
        require_sound();
        return after(::pthread_mutex_trylock(&mutex_));
    }

    /// For what is held for moments only. It is `busy` at the deadline, but not before a time after which its
    /// holder must be stopped: who doesn't want to wait still gets it.
    lock_result lock_soon(steady_time deadline) {
        constexpr std::chrono::milliseconds moments{100};
        const lock_result result = try_lock();
        if (result != lock_result::busy) return result;
        return lock_until(std::max(deadline, std::chrono::steady_clock::now() + moments));
    }

    lock_result lock_until(steady_time deadline) {
        // An unlock wakes one of those who sleep. If that one dies before it has locked it, and somebody else
        // has done so meanwhile, neither the library nor the kernel wakes another one, ever.
        constexpr std::chrono::milliseconds recheck_interval{100};
        for (;;) {
            lock_result result = try_lock();
            if (result != lock_result::busy) return result;
            const auto now = std::chrono::steady_clock::now();
            if (now >= deadline) return result;
            result = after(clocklock(to_timespec(std::min(deadline, now + recheck_interval))));
            if (result != lock_result::busy) return result;
            require_living_holder();
        }
    }

    /// @return false if this thread doesn't hold it
    bool unlock() {
        const int error = ::pthread_mutex_unlock(&mutex_);
        if (error == EPERM) return false;
        succeed(error, "pthread_mutex_unlock");
        held_locks::remove();
        return true;
    }

    /// Whether a thread that lives holds it, at this moment; also true where that can't be known.
    bool may_be_held() noexcept { return holder_of(mutex_) != 0; }

private:
    int clocklock(const timespec& until) noexcept {
#ifdef PROCPOOL_DETAIL_THREAD_SANITIZER
        // Its runtime in GCC 12 doesn't know the call, and takes what was locked by it for unlocked.
        for (;;) {
            const int error = ::pthread_mutex_trylock(&mutex_);
            timespec now{};
            ::clock_gettime(CLOCK_MONOTONIC, &now);
            const bool is_over =
                now.tv_sec != until.tv_sec ? now.tv_sec > until.tv_sec : now.tv_nsec >= until.tv_nsec;
            if (error != EBUSY || is_over) return error;
            ::usleep(100);
        }
#else
        return ::pthread_mutex_clocklock(&mutex_, CLOCK_MONOTONIC, &until);
#endif
    }

    // What the C library keeps in a mutex. Where that isn't known, nothing is refused.
#ifdef __GLIBC__
    bool is_sound() const noexcept { return mutex_.__data.__kind == right_kind || right_kind == 0; }
    static const int right_kind;  // 0 until it is initialised
    static pid_t holder_of(pthread_mutex_t& other) noexcept {
        return std::atomic_ref(other.__data.__lock).load(std::memory_order_relaxed) & FUTEX_TID_MASK;
    }
#else
    bool is_sound() const noexcept { return true; }
    static pid_t holder_of(pthread_mutex_t&) noexcept { return ::gettid(); }
#endif

    /// Before it is locked: the C library aborts where it finds what it doesn't know.
    void require_sound() {
        if (!is_sound()) [[unlikely]]
            refuse_damage();
        if (held_locks::are_most() && holder_of(mutex_) != ::gettid()) [[unlikely]]
            held_locks::refuse();
    }

    /// The kernel frees what somebody holds who dies; a number of nobody was written by accident.
    void require_living_holder() {
        const pid_t holder = holder_of(mutex_);
        if (holder != 0 && ::kill(holder, 0) != 0 && errno == ESRCH && holder_of(mutex_) == holder)
            refuse_damage();
    }

    [[noreturn]] static void refuse_damage() {
        throw Error(
            "procpool: the memory of a lock, which queues and other shared objects have, too, is damaged: a "
            "process has written where it should not");
    }

    static void succeed(int error, const char* call) {
        if (error != 0) throw_system_error(error, call);
    }

    lock_result after(int error) {
        switch (error) {
            case 0: held_locks::add(); return lock_result::taken;
            case EOWNERDEAD:
                // What it guards is changed by single stores, so there is nothing to mend first.
                succeed(::pthread_mutex_consistent(&mutex_), "pthread_mutex_consistent");
                held_locks::add();
                return lock_result::inherited;
            case EBUSY:
            case ETIMEDOUT: return lock_result::busy;
            case EDEADLK: return lock_result::own;
            default: throw_system_error(error, "pthread_mutex_lock");
        }
    }

    pthread_mutex_t mutex_;
};

#ifdef __GLIBC__
inline const int robust_mutex::right_kind = robust_mutex().mutex_.__data.__kind;
#endif

}  // namespace procpool::inline v0_1::detail::os

#endif
