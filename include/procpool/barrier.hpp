// SPDX-License-Identifier: MIT
// Barrier: processes wait for each other.
#ifndef PROCPOOL_BARRIER_HPP
#define PROCPOOL_BARRIER_HPP

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/shared/barrier_state.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/wire/handle.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

/// A place where processes wait until a number of them has arrived, again and again; as in Python.
///
/// Who dies while it waits has arrived. If one dies before it arrives, the others wait for it: give wait() a
/// timeout, and handle BrokenBarrier. There is no action to run when all have arrived: let the one that gets
/// index 0 do it, and all wait once more. What is passed to processes is a handle, as that of a Lock.
/// Thread-safe.
class Barrier : public detail::wire::travels_as_handle<Barrier> {
public:
    /// @throws std::invalid_argument unless it is for 1 to a million processes
    /// @throws std::system_error if the system gives no memory or no file descriptor
    explicit Barrier(std::int64_t parties) : state_(detail::shared::object<state>::make(checked(parties))) {}

    /// Waits until all have arrived. @return a number from 0 to parties() - 1, another one for each of them
    /// @throws BrokenBarrier if it is broken before that
    std::int64_t wait() const { return state_->wait(detail::steady_time::max()); }

    /// The same; but if the others don't arrive in time, the barrier is broken, for all who wait at it and
    /// until somebody resets it.
    template <class Rep, class Period>
    std::int64_t wait(std::chrono::duration<Rep, Period> timeout) const {
        return state_->wait(detail::deadline_in(timeout));
    }

    /// Breaks the barrier: those who wait, and all who come until it is reset, get BrokenBarrier.
    void abort() const { state_->abort(); }
    /// As new; those who wait get BrokenBarrier.
    void reset() const { state_->reset(); }

    /// Number of processes that it waits for.
    std::int64_t parties() const { return state_->parties(); }
    /// Number of those who have arrived and wait for the others.
    std::int64_t n_waiting() const { return state_->waiting(); }
    /// Whether it is broken.
    bool broken() const { return state_->broken(); }

    /// Whether both are handles of the same barrier.
    friend bool operator==(const Barrier& a, const Barrier& b) noexcept { return a.state_ == b.state_; }

private:
    using state = detail::shared::barrier_state;
    friend detail::wire::travels_as_handle<Barrier>;
    friend detail::wire::codec<Barrier>;

    static std::uint32_t checked(std::int64_t parties) {
        if (parties < 1 || parties > 1'000'000)
            throw std::invalid_argument("procpool: a barrier is for 1 to a million processes, not for " +
                                        std::to_string(parties));
        return static_cast<std::uint32_t>(parties);
    }

    explicit Barrier(const detail::shared::object<state>& object) noexcept : state_(object) {}
    void encode(const detail::wire::sink& out) const { state_.encode(out); }
    static Barrier decode(detail::wire::cursor& from) {
        return Barrier(detail::shared::object<state>::decode(from));
    }

    detail::shared::object<state> state_;
};

}  // namespace procpool::inline v0_1

#endif
