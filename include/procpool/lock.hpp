// SPDX-License-Identifier: MIT
// Lock and RLock: one process at a time, and no hang when it dies.
#ifndef PROCPOOL_LOCK_HPP
#define PROCPOOL_LOCK_HPP

#include <chrono>
#include <concepts>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/shared/owned_lock.hpp"
#include "procpool/detail/wire/handle.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

class Condition;
template <class T>
class Value;

namespace detail {

/// What Lock and RLock have in common.
template <class Derived, shared::relock Again>
class basic_lock : public wire::travels_as_handle<Derived> {
public:
    /// A new lock, which nobody holds.
    /// @throws std::system_error if the system gives no memory or no file descriptor
    basic_lock() : lock_(shared::object<shared::lock_state>::make()) {}

    /// Waits until the lock is free, and takes it. A thread can hold 2048 locks, those included that calls of
    /// this library have for a moment.
    /// @throws LockOwnerDied if its last holder, a process or a thread, died with it. That is told once; the
    /// lock is free then, and whoever takes it next knows nothing of it: see the other form.
    /// @throws std::system_error with errc::no_lock_available if the thread holds so many
    void acquire() const { lock_.lock_until(steady_time::max(), Again); }

    /// The same, but where acquire() would throw, calls `repair(const LockOwnerDied&)` with the lock held:
    /// nobody sees what it guards before it is mended. If `repair` throws, the lock is free, and the next
    /// holder is told again.
    template <std::invocable<const LockOwnerDied&> Repair>
    void acquire(Repair&& repair) const {
        lock_.lock_repairing(Again, std::forward<Repair>(repair));
    }

    /// Takes the lock if it becomes free in time. @return whether it did
    /// @throws LockOwnerDied as above
    template <class Rep, class Period>
    bool acquire(std::chrono::duration<Rep, Period> timeout) const {
        return lock_.lock_until(deadline_in(timeout), Again);
    }

    /// Frees it.
    /// @throws std::system_error if this thread doesn't hold it
    void release() const { lock_.unlock(); }

    /// acquire(), for std::lock_guard, std::unique_lock and std::scoped_lock.
    void lock() const { acquire(); }
    /// release(), for these.
    void unlock() const { release(); }
    /// Whether somebody holds it, at this moment: for messages and tests, since that may change at once. A
    /// lock whose holder has died is free.
    bool locked() const noexcept { return lock_.is_locked(); }

    /// Takes the lock if it is free. @return whether it was
    bool try_lock() const { return lock_.try_lock(Again); }
    /// acquire() with a time limit. @return whether the lock became free in time
    template <class Rep, class Period>
    bool try_lock_for(std::chrono::duration<Rep, Period> timeout) const {
        return acquire(timeout);
    }
    /// acquire() up to a point in time. @return whether the lock became free in time
    template <class Clock, class Duration>
    bool try_lock_until(std::chrono::time_point<Clock, Duration> deadline) const {
        return acquire(deadline - Clock::now());
    }

    /// Whether both are handles of the same lock.
    friend bool operator==(const Derived& a, const Derived& b) noexcept {
        return a.lock_.state() == b.lock_.state();
    }

protected:
    explicit basic_lock(const shared::object<shared::lock_state>& state) noexcept : lock_(state) {}

private:
    friend wire::travels_as_handle<Derived>;
    friend wire::codec<Derived>;
    friend class procpool::Condition;
    template <class>
    friend class procpool::Value;

    void encode(const wire::sink& out) const { lock_.state().encode(out); }
    static Derived decode(wire::cursor& from) {
        return Derived(shared::object<shared::lock_state>::decode(from));
    }

    shared::owned_lock lock_;
};

}  // namespace detail

/// A lock that processes and their threads share, in which a thread that holds it can't lock it again.
///
/// It lies in shared memory; what is passed to processes, tasks and initializers is a handle, and a copy is
/// another handle of the same lock. As in Python, but for two things: the death of a holder is an error for
/// the next one, not a hang; and only the thread that took it can release it, since otherwise nobody knew
/// whose death that is. Locking it as its holder is a std::system_error. It takes a file descriptor in each
/// process that uses it. Thread-safe.
class Lock : public detail::basic_lock<Lock, detail::shared::relock::refused> {
public:
    Lock() = default;

private:
    friend basic_lock;
    explicit Lock(const detail::shared::object<detail::shared::lock_state>& state) noexcept
        : basic_lock(state) {}
};

/// The same, which its holder can lock again; it is free when it was released as often.
class RLock : public detail::basic_lock<RLock, detail::shared::relock::counted> {
public:
    RLock() = default;

private:
    friend basic_lock;
    template <class>
    friend class Value;
    explicit RLock(const detail::shared::object<detail::shared::lock_state>& state) noexcept
        : basic_lock(state) {}
};

}  // namespace procpool::inline v0_1

#endif
