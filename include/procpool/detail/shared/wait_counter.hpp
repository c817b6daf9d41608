// SPDX-License-Identifier: MIT
// A count in shared memory that goes up, and that others wait for.
#ifndef PROCPOOL_DETAIL_SHARED_WAIT_COUNTER_HPP
#define PROCPOOL_DETAIL_SHARED_WAIT_COUNTER_HPP

#include <cstdint>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/futex.hpp"

namespace procpool::inline v0_1::detail::shared {

/// To count is one step with the waking of those who wait: no death leaves them asleep. The count begins
/// again after 2^31; differences are right as long as they are smaller.
class wait_counter {
public:
    std::uint32_t count() const noexcept { return word_.load(std::memory_order_acquire) / unit; }

    /// How much further this is than another one.
    std::uint32_t ahead_of(std::uint32_t count) const noexcept { return (this->count() - count) % turn; }

    /// Whether it has yet to get to `count`, which it has been or will be near to.
    bool is_before(std::uint32_t count) const noexcept { return ahead_of(count) >= turn / 2; }

    /// One more. Nobody else may count at the same time.
    void advance() {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        while ((seen & somebody_waits) == 0)
            if (word_.compare_exchange_weak(seen, seen + unit)) return;
        // Those who wait add the bit and nobody else takes it away: the addition carries it into the count.
        os::futex_change_and_wake(word_, os::futex_change::add, unit - somebody_waits);
    }

    /// Sleeps while the count is `seen`, or for less. @return false at the deadline
    bool wait_past(std::uint32_t seen, steady_time deadline) {
        std::uint32_t word = seen * unit;
        if (!word_.compare_exchange_strong(word, word | somebody_waits) && word / unit != seen) return true;
        return os::futex_wait(word_, seen * unit | somebody_waits, deadline);
    }

private:
    static constexpr std::uint32_t somebody_waits = 1, unit = 2, turn = std::uint32_t{1} << 31;

    os::futex_word word_{0};
};

}  // namespace procpool::inline v0_1::detail::shared

#endif
