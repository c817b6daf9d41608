// SPDX-License-Identifier: MIT
// What a pool does while it has no calls: it gives back memory, and lets its workers go.
#ifndef PROCPOOL_DETAIL_PROCESS_PAUSES_HPP
#define PROCPOOL_DETAIL_PROCESS_PAUSES_HPP

#include <algorithm>
#include <chrono>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/process/worker_processes.hpp"

namespace procpool::inline v0_1::detail::process {

/// With the pool's lock held.
template <class = only_if_used>
class basic_pauses {
public:
    /// Workers leave after `idle_timeout` without calls.
    basic_pauses(worker_processes& workers, std::chrono::nanoseconds idle_timeout)
        : workers_(workers), idle_timeout_(idle_timeout) {}

    /// No job is open any more, or not yet.
    void begin() {
        if (workers_.memory().is_kept()) trim_at_ = deadline_in(trim_delay);
        if (idle_timeout_ != job::no_limit) rest_at_ = deadline_in(idle_timeout_);
    }
    /// When end_due() is to be called.
    steady_time due() const noexcept { return std::min(trim_at_, rest_at_); }
    /// The end of jobs that came meanwhile is the beginning of another pause.
    void end_due(bool has_open_jobs) {
        if (due() == steady_time::max()) return;
        const auto now = std::chrono::steady_clock::now();
        if (now >= trim_at_) {
            trim_at_ = steady_time::max();
            if (!has_open_jobs) workers_.trim();
            // What runs though nobody wants it has memory still.
            if (!has_open_jobs && !workers_.is_idle()) trim_at_ = deadline_in(trim_delay);
        }
        if (now >= rest_at_) {
            rest_at_ = steady_time::max();
            if (!has_open_jobs) workers_.rest();
        }
    }

private:
    static constexpr std::chrono::seconds trim_delay{
        1};  // for so long memory is kept for the next large data

    worker_processes& workers_;
    const std::chrono::nanoseconds idle_timeout_;
    steady_time trim_at_ = steady_time::max();  // when memory that nobody has used meanwhile is given back
    steady_time rest_at_ = steady_time::max();  // when the workers leave
};
using pauses = basic_pauses<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
