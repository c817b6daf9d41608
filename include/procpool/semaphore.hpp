// SPDX-License-Identifier: MIT
// Semaphore and BoundedSemaphore: so many at a time.
#ifndef PROCPOOL_SEMAPHORE_HPP
#define PROCPOOL_SEMAPHORE_HPP

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/shared/owned_permits.hpp"
#include "procpool/detail/shared/permits.hpp"
#include "procpool/detail/wire/handle.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

namespace detail::shared {

struct semaphore_state {
    static constexpr const char* name = "Semaphore";

    explicit semaphore_state(std::uint32_t count) : permits(count) {}

    shared::permits permits;
};

/// @throws std::invalid_argument unless it can be counted
inline std::uint32_t number_of_permits(std::int64_t count, std::int64_t least, std::int64_t most) {
    if (count < least || count > most)
        throw std::invalid_argument("procpool: a semaphore can't have " + std::to_string(count) +
                                    " permits, but " + std::to_string(least) + " to " + std::to_string(most));
    return static_cast<std::uint32_t>(count);
}

}  // namespace detail::shared

/// A number of permits, which acquire() takes and release() gives; as in Python.
///
/// Anybody may release what nobody has acquired, to signal something. So nobody can know whose permits are
/// missing when a process dies: those that it had are lost, as in Python. Where that matters, use
/// BoundedSemaphore. A process that dies while it waits here takes none. What is passed to processes is a
/// handle, as that of a Lock. Thread-safe.
class Semaphore : public detail::wire::travels_as_handle<Semaphore> {
public:
    /// @throws std::invalid_argument if `permits` is negative or larger than 2^31 - 1
    /// @throws std::system_error if the system gives no memory or no file descriptor
    explicit Semaphore(std::int64_t permits = 1)
        : state_(detail::shared::object<state>::make(detail::shared::number_of_permits(permits, 0, most))) {}

    /// Takes a permit, and waits for one if there is none.
    void acquire() const { state_->permits.take(detail::steady_time::max()); }
    /// The same, for some time at the most. @return whether it took one
    template <class Rep, class Period>
    bool acquire(std::chrono::duration<Rep, Period> timeout) const {
        return state_->permits.take(detail::deadline_in(timeout));
    }
    /// Takes a permit if there is one now.
    bool try_acquire() const { return state_->permits.try_take(); }

    /// Adds permits.
    /// @throws std::invalid_argument if that is a negative number, or there were more than 2^31 - 1 then
    void release(std::int64_t count = 1) const {
        if (!state_->permits.add(detail::shared::number_of_permits(count, 0, most)))
            throw std::invalid_argument("procpool: a semaphore was released too many times");
    }

    /// Number of permits that there are now.
    std::int64_t get_value() const { return state_->permits.count(); }
    /// Whether there are none now, so that acquire() would wait.
    bool locked() const { return get_value() == 0; }

    /// Whether both are handles of the same semaphore.
    friend bool operator==(const Semaphore& a, const Semaphore& b) noexcept { return a.state_ == b.state_; }

private:
    static constexpr std::int64_t most = detail::shared::permits::most;
    using state = detail::shared::semaphore_state;
    friend detail::wire::travels_as_handle<Semaphore>;
    friend detail::wire::codec<Semaphore>;

    explicit Semaphore(const detail::shared::object<state>& object) noexcept : state_(object) {}
    void encode(const detail::wire::sink& out) const { state_.encode(out); }
    static Semaphore decode(detail::wire::cursor& from) {
        return Semaphore(detail::shared::object<state>::decode(from));
    }

    detail::shared::object<state> state_;
};

/// A number of permits, each of which a process holds and gives back, for a resource that few may use at
/// once.
///
/// It knows which processes hold its permits. If one dies, its permit comes back: who finds all permits taken
/// gets LockOwnerDied, once for each of the dead's, within a twentieth of a second. A
/// process can release only what it holds. Otherwise as Semaphore.
class BoundedSemaphore : public detail::wire::travels_as_handle<BoundedSemaphore> {
public:
    /// @throws std::invalid_argument unless there are from 1 to a million permits
    /// @throws std::system_error if the system gives no memory or no file descriptor
    explicit BoundedSemaphore(std::int64_t permits = 1)
        : state_(make(detail::shared::number_of_permits(permits, 1, 1'000'000))) {}

    /// Takes a permit, and waits for one if there is none.
    /// @throws LockOwnerDied if a process died that held one, which is free again now
    void acquire() const { state_->acquire(detail::steady_time::max()); }
    /// The same, for some time at the most. @return whether it took one
    template <class Rep, class Period>
    bool acquire(std::chrono::duration<Rep, Period> timeout) const {
        return state_->acquire(detail::deadline_in(timeout));
    }
    /// Takes a permit if there is one now.
    bool try_acquire() const { return acquire(std::chrono::seconds(0)); }

    /// Gives a permit of this process back.
    /// @throws std::invalid_argument if it holds none
    void release() const {
        if (!state_->release())
            throw std::invalid_argument(
                "procpool: a semaphore was released too many times: this process "
                "holds none of its permits");
    }

    /// Number of permits that there are now.
    std::int64_t get_value() const { return state_->count(); }
    /// Whether all are taken now.
    bool locked() const { return get_value() == 0; }

    /// Whether both are handles of the same semaphore.
    friend bool operator==(const BoundedSemaphore& a, const BoundedSemaphore& b) noexcept {
        return a.state_ == b.state_;
    }

private:
    using state = detail::shared::owned_permits;
    friend detail::wire::travels_as_handle<BoundedSemaphore>;
    friend detail::wire::codec<BoundedSemaphore>;

    static detail::shared::object<state> make(std::uint32_t permits) {
        return detail::shared::object<state>::make_in(state::room_for(permits), detail::os::extent::memory,
                                                      permits);
    }
    explicit BoundedSemaphore(const detail::shared::object<state>& object) noexcept : state_(object) {}
    void encode(const detail::wire::sink& out) const { state_.encode(out); }
    static BoundedSemaphore decode(detail::wire::cursor& from) {
        auto object = detail::shared::object<state>::decode(from);
        object->require_room(object.segment()->size());
        return BoundedSemaphore(object);
    }

    detail::shared::object<state> state_;
};

}  // namespace procpool::inline v0_1

#endif
