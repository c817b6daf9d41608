// SPDX-License-Identifier: MIT
// When workers are looked at, and which of them can only be killed: those that owe results and will never
// send them.
#ifndef PROCPOOL_DETAIL_PROCESS_HEALTH_CHECK_HPP
#define PROCPOOL_DETAIL_PROCESS_HEALTH_CHECK_HPP

#include <algorithm>
#include <chrono>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/process/worker_link.hpp"

namespace procpool::inline v0_1::detail::process {

/// Judges by the workers' signs_of_life, now and then while results are to come: ten times a second, and
/// where nothing happens ever more rarely. A worker of which nothing has come since the last time is probed.
template <class = only_if_used>
class basic_health_check {
public:
    /// When it is due.
    steady_time next() const noexcept { return next_; }

    void begin() noexcept {
        longest_pause_ = longest_idle_pause;
        pause_ = std::min(2 * pause_, longest_pause_);
    }
    void end(steady_time now) noexcept {
        pause_ = std::min(pause_, longest_pause_);
        next_ = now + pause_;
    }

    /// Why this worker can only be killed; null if nothing is known against it. It may be that a probe is to
    /// be sent to it.
    const char* find_fault(worker_link& link, steady_time now) {
        if (link.work().elements() == 0) return nullptr;
        longest_pause_ = std::min(longest_pause_, longest_busy_pause);
        if (!link.tells_the_possible()) return "what it had in shared memory was overwritten";
        if (link.owes_after_probe()) return "it waited for work, and owed results";
        if (!link.is_quiet(now)) {
            pause_ = shortest_pause;
            return nullptr;
        }
        const bool runs = link.says_it_runs();
        const bool for_long = link.quiet_for(now) >= longest_busy_pause;
        if (link.withholds_frame_for(now) >= longest_busy_pause)
            return "it sent what begins like a frame, and nothing else";
        if (!runs) link.check_at = std::min(link.check_at, now);
        // One that runs an element is left alone for a while, and then probed to make sure.
        if ((!runs || for_long) && link.send_probe()) longest_pause_ = pause_for_answer;
        return nullptr;
    }

private:
    using milliseconds = std::chrono::milliseconds;
    static constexpr milliseconds shortest_pause{100};
    static constexpr milliseconds longest_busy_pause{1'000};
    static constexpr milliseconds longest_idle_pause{10'000};
    static constexpr milliseconds pause_for_answer{10};

    steady_time next_ = steady_time::min();
    milliseconds pause_ = shortest_pause;
    milliseconds longest_pause_ = shortest_pause;
};
using health_check = basic_health_check<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
