// SPDX-License-Identifier: MIT
// A number in shared memory that processes count down, and wait while it is zero.
#ifndef PROCPOOL_DETAIL_SHARED_PERMITS_HPP
#define PROCPOOL_DETAIL_SHARED_PERMITS_HPP

#include <algorithm>
#include <cstdint>
#include <mutex>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/posix/futex.hpp"
#include "procpool/detail/posix/robust_mutex.hpp"

namespace procpool::detail::shared {

class permits {
public:
    static constexpr std::uint32_t most = 0x7fff'ffff;

    explicit permits(std::uint32_t count) : word_(count * unit) {}

    std::uint32_t count() const noexcept { return word_.load() / unit; }

    bool try_take() noexcept {
        std::uint32_t seen = word_.load();
        while (seen >= unit)
            if (word_.compare_exchange_weak(seen, seen - unit)) return true;
        return false;
    }

    /// @return false if there is none until the deadline
    bool take(steady_time deadline) {
        if (try_take()) return true;
        // Only who holds the gate sleeps on the word. If it is woken and dies, the kernel hands the gate to
        // the next one, which finds the permit: no permit is lost with a sleeper.
        if (gate_.lock_until(deadline) == posix::lock_result::busy) return false;
        const std::unique_lock gate(gate_, std::adopt_lock);
        bool in_time = true;
        for (std::uint32_t seen = word_.load();;) {
            if (seen >= unit) {
                if (word_.compare_exchange_weak(seen, (seen & ~somebody_waits) - unit)) return true;
                continue;
            }
            if (!in_time) return false;
            if ((seen & somebody_waits) != 0 || word_.compare_exchange_weak(seen, seen | somebody_waits))
                in_time = posix::futex_wait(word_, seen | somebody_waits, deadline);
            seen = word_.load();
        }
    }

    /// Adds `count`. @return false if that were more than `most`
    bool add(std::uint32_t count) {
        constexpr std::uint32_t at_once = 1000;  // the kernel takes small numbers only
        std::uint32_t seen = word_.load();
        while (count > 0) {
            if (count > most - seen / unit) return false;
            if ((seen & somebody_waits) == 0) {
                if (word_.compare_exchange_weak(seen, seen + count * unit)) return true;
                continue;
            }
            const std::uint32_t part = std::min(count, at_once);
            posix::futex_change_and_wake(word_, posix::futex_change::add, static_cast<int>(part * unit), 1);
            count -= part;
            seen = word_.load();
        }
        return true;
    }

private:
    static constexpr std::uint32_t somebody_waits = 1, unit = 2;

    posix::futex_word word_;
    posix::robust_mutex gate_;
};

}  // namespace procpool::detail::shared

#endif
