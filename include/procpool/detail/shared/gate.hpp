// SPDX-License-Identifier: MIT
// Where those stand in line who wait for a word in shared memory to change.
#ifndef PROCPOOL_DETAIL_SHARED_GATE_HPP
#define PROCPOOL_DETAIL_SHARED_GATE_HPP

#include <algorithm>
#include <chrono>
#include <mutex>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/robust_mutex.hpp"

namespace procpool::inline v0_1::detail::shared {

/// Only who is inside sleeps on the word, so a change wakes one. If that one dies, the kernel lets the next
/// one in, who finds what the dead was woken for. It may be stopped as well, and is inside until it goes on:
/// those in line check for themselves now and then. Nothing but the way to that sleep is kept from anybody
/// here.
class gate {
public:
    /// Calls `attempt()` until that is true. Between, `sleep()` waits until it may be; it is false at the
    /// deadline. @return false if nothing came of it until then
    template <class Attempt, class Sleep>
    bool wait(steady_time deadline, const Attempt& attempt, const Sleep& sleep) {
        constexpr std::chrono::milliseconds recheck_interval{100};
        const auto now = [] { return std::chrono::steady_clock::now(); };
        while (inside_.lock_until(std::min(deadline, now() + recheck_interval)) == os::lock_result::busy) {
            if (attempt()) return true;
            if (now() >= deadline) return false;
        }
        const std::unique_lock here(inside_, std::adopt_lock);
        for (bool in_time = true;;) {
            if (attempt()) return true;
            if (!in_time) return false;
            in_time = sleep() && now() < deadline;
        }
    }

private:
    os::robust_mutex inside_;
};

}  // namespace procpool::inline v0_1::detail::shared

#endif
