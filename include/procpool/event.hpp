// SPDX-License-Identifier: MIT
// Event: a flag for which processes wait.
#ifndef PROCPOOL_EVENT_HPP
#define PROCPOOL_EVENT_HPP

#include <chrono>
#include <cstdint>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/futex.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/wire/handle.hpp"

namespace procpool::inline v0_1 {

namespace detail::shared {

struct event_state {
    static constexpr const char* name = "Event";

    static constexpr std::uint32_t is_set = 1, somebody_waits = 2, times = 4;
    os::futex_word word{0};  // the bits, and how often it was cleared
};

}  // namespace detail::shared

/// A flag that processes set and clear, and for which others wait; as in Python.
///
/// What is passed to processes is a handle, as that of a Lock. A process may die at any point in here: the
/// others go on as if it had come just before or just after. Thread-safe.
class Event : public detail::wire::travels_as_handle<Event> {
public:
    /// A new event, not set.
    /// @throws std::system_error if the system gives no memory or no file descriptor
    Event() : state_(detail::shared::object<state>::make()) {}

    /// Whether the flag is set.
    bool is_set() const { return (state_->word.load() & state::is_set) != 0; }

    /// Sets the flag, and wakes all who wait for that.
    void set() const {
        auto& word = state_->word;
        std::uint32_t seen = word.load();
        while ((seen & (state::is_set | state::somebody_waits)) == 0)
            if (word.compare_exchange_weak(seen, seen | state::is_set)) return;
        if ((seen & state::is_set) == 0)
            detail::os::futex_change_and_wake(word, detail::os::futex_change::add_bits,
                                              static_cast<int>(state::is_set));
    }

    /// Clears the flag.
    void clear() const {
        auto& word = state_->word;
        std::uint32_t seen = word.load();
        // Who was woken by the flag and comes late sees that it was set: it has been cleared since.
        while ((seen & state::is_set) != 0)
            if (word.compare_exchange_weak(seen, (seen & ~(state::times - 1)) + state::times)) return;
    }

    /// Waits until the flag is set; not at all if it is.
    void wait() const { wait_until(detail::steady_time::max()); }

    /// The same, for some time at the most. @return whether it was set, though it may have been cleared since
    template <class Rep, class Period>
    bool wait(std::chrono::duration<Rep, Period> timeout) const {
        return wait_until(detail::deadline_in(timeout));
    }

    /// Whether both are handles of the same event.
    friend bool operator==(const Event& a, const Event& b) noexcept { return a.state_ == b.state_; }

private:
    using state = detail::shared::event_state;
    friend detail::wire::travels_as_handle<Event>;
    friend detail::wire::codec<Event>;

    explicit Event(const detail::shared::object<state>& object) noexcept : state_(object) {}
    void encode(const detail::wire::sink& out) const { state_.encode(out); }
    static Event decode(detail::wire::cursor& from) {
        return Event(detail::shared::object<state>::decode(from));
    }

    bool wait_until(detail::steady_time deadline) const {
        auto& word = state_->word;
        std::uint32_t seen = word.load();
        const std::uint32_t cleared = seen / state::times;
        bool in_time = true;
        while ((seen & state::is_set) == 0 && seen / state::times == cleared) {
            if (!in_time) return false;
            if ((seen & state::somebody_waits) != 0 ||
                word.compare_exchange_weak(seen, seen | state::somebody_waits))
                in_time = detail::os::futex_wait(word, seen | state::somebody_waits, deadline);
            seen = word.load();
        }
        return true;
    }

    detail::shared::object<state> state_;
};

}  // namespace procpool::inline v0_1

#endif
