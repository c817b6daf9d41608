// SPDX-License-Identifier: MIT
// A number in shared memory that processes count down, and wait while it is zero.
#ifndef PROCPOOL_DETAIL_SHARED_PERMITS_HPP
#define PROCPOOL_DETAIL_SHARED_PERMITS_HPP

#include <algorithm>
#include <cstdint>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/futex.hpp"
#include "procpool/detail/shared/gate.hpp"

namespace procpool::inline v0_1::detail::shared {

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
        return gate_.wait(
            deadline, [this] { return try_take(); },
            [&] {
                std::uint32_t seen = 0;
                if (!word_.compare_exchange_strong(seen, somebody_waits) && seen != somebody_waits)
                    return true;
                const bool in_time = os::futex_wait(word_, somebody_waits, deadline);
                word_.fetch_and(~somebody_waits);
                return in_time;
            });
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
            os::futex_change_and_wake(word_, os::futex_change::add, static_cast<int>(part * unit), 1);
            count -= part;
            seen = word_.load();
        }
        return true;
    }

private:
    static constexpr std::uint32_t somebody_waits = 1, unit = 2;

    os::futex_word word_;
    gate gate_;
};

}  // namespace procpool::inline v0_1::detail::shared

#endif
