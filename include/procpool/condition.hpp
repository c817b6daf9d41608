// SPDX-License-Identifier: MIT
// Condition: waiting for something to become true that a lock guards.
#ifndef PROCPOOL_CONDITION_HPP
#define PROCPOOL_CONDITION_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/futex.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/shared/owned_lock.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/handle.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/lock.hpp"

namespace procpool::inline v0_1 {

namespace detail::shared {

struct condition_state {
    static constexpr const char* name = "Condition";

    os::futex_word notified{0};
    std::atomic<std::uint32_t> waiting{0};  // too many after a death, never too few
};

}  // namespace detail::shared

/// Lets processes wait until one that changed something says so; as in Python.
///
/// It has a lock, which it shares with others if it was given one, and can be locked itself, by
/// std::unique_lock for instance. As with std::condition_variable, wait() may return for no reason: look
/// again at what is waited for, or use the form that takes a predicate. What is passed to processes is a
/// handle, as that of a Lock. A process that dies while it waits is forgotten; one that dies after it was
/// notified takes that with it, which delays those who wait with a predicate by a second at the most. After a
/// LockOwnerDied mend what the lock guards and notify_all(). Thread-safe.
class Condition : public detail::wire::travels_as_handle<Condition> {
public:
    /// With an RLock of its own.
    /// @throws std::system_error if the system gives no memory or no file descriptor
    Condition() : Condition(RLock()) {}
    /// With this lock.
    explicit Condition(const RLock& lock) : Condition(lock.lock_, detail::shared::relock::counted) {}
    /// With this lock.
    explicit Condition(const Lock& lock) : Condition(lock.lock_, detail::shared::relock::refused) {}

    /// As those of its lock.
    void acquire() const { lock(); }
    /// As that of its lock; tells whether it became free in time.
    template <class Rep, class Period>
    bool acquire(std::chrono::duration<Rep, Period> timeout) const {
        return lock_.lock_until(detail::deadline_in(timeout), relock_);
    }
    /// As that of its lock.
    void release() const { lock_.unlock(); }
    /// acquire(), for std::unique_lock.
    void lock() const { lock_.lock_until(detail::steady_time::max(), relock_); }
    /// Takes the lock if it is free, and tells whether it was.
    bool try_lock() const { return lock_.try_lock(relock_); }
    /// release(), for std::unique_lock.
    void unlock() const { lock_.unlock(); }

    /// Frees the lock, waits to be notified, and takes the lock again, as often as it was locked.
    /// @throws LockOwnerDied as that of the lock, but with the lock held
    /// @throws std::system_error if this thread doesn't hold the lock
    void wait() const { wait_until(detail::steady_time::max()); }

    /// The same, for some time at the most. @return false if that is over
    template <class Rep, class Period>
    bool wait(std::chrono::duration<Rep, Period> timeout) const {
        return wait_until(detail::deadline_in(timeout));
    }

    /// Waits until `predicate()` is true, which is called with the lock held; as Python's wait_for(). It is
    /// called each second also when nobody notifies.
    template <std::predicate<> Predicate>
    void wait(Predicate predicate) const {
        wait_until(predicate, detail::steady_time::max());
    }

    /// The same, for some time at the most. @return what the predicate said last
    template <std::predicate<> Predicate, class Rep, class Period>
    bool wait(Predicate predicate, std::chrono::duration<Rep, Period> timeout) const {
        return wait_until(predicate, detail::deadline_in(timeout));
    }

    /// Wakes up to `count` of those who wait now. The lock need not be held.
    /// @throws std::invalid_argument if `count` is negative
    void notify(int count = 1) const {
        if (count < 0)
            throw std::invalid_argument("procpool: a Condition can't notify " + std::to_string(count) +
                                        " processes");
        state& shared = *state_;
        if (count > 0 && shared.waiting.load() > 0)
            detail::os::futex_change_and_wake(shared.notified, detail::os::futex_change::add, 1, count);
    }
    /// Wakes one of those who wait now.
    void notify_one() const { notify(); }
    /// Wakes all who wait now.
    void notify_all() const { notify(INT_MAX); }

    /// Whether both are handles of the same condition.
    friend bool operator==(const Condition& a, const Condition& b) noexcept { return a.state_ == b.state_; }

private:
    using state = detail::shared::condition_state;
    using lock_state = detail::shared::lock_state;
    friend detail::wire::travels_as_handle<Condition>;
    friend detail::wire::codec<Condition>;

    Condition(const detail::shared::owned_lock& lock, detail::shared::relock again)
        : Condition(detail::shared::object<state>::make(), lock, again) {}
    Condition(const detail::shared::object<state>& object, const detail::shared::owned_lock& lock,
              detail::shared::relock again) noexcept
        : state_(object), lock_(lock), relock_(again) {}

    void encode(const detail::wire::sink& out) const {
        state_.encode(out);
        lock_.state().encode(out);
        out.to.append_value(relock_);
    }
    static Condition decode(detail::wire::cursor& from) {
        const auto object = detail::shared::object<state>::decode(from);
        const auto lock = detail::shared::object<lock_state>::decode(from);
        const bool counted = from.value<detail::shared::relock>() == detail::shared::relock::counted;
        return Condition(object, detail::shared::owned_lock(lock),
                         counted ? detail::shared::relock::counted : detail::shared::relock::refused);
    }

    bool wait_until(detail::steady_time deadline) const {
        state& shared = *state_;
        const std::uint32_t seen = shared.notified.load();
        shared.waiting.fetch_add(1);
        std::uint32_t depth = 0;
        try {
            depth = lock_.unlock_all();
        } catch (...) {
            shared.waiting.fetch_sub(1);
            throw;
        }
        const bool in_time = detail::os::futex_wait(shared.notified, seen, deadline);
        shared.waiting.fetch_sub(1);
        lock_.lock_again(depth);
        return in_time;
    }

    /// Who was notified may be dead, and nobody is told.
    template <class Predicate>
    bool wait_until(Predicate& predicate, detail::steady_time deadline) const {
        constexpr std::chrono::seconds recheck_interval{1};
        while (!predicate()) {
            const auto now = std::chrono::steady_clock::now();
            if (now >= deadline) return false;
            wait_until(std::min(deadline, now + recheck_interval));
        }
        return true;
    }

    detail::shared::object<state> state_;
    detail::shared::owned_lock lock_;
    detail::shared::relock relock_;
};

}  // namespace procpool::inline v0_1

#endif
