// SPDX-License-Identifier: MIT
// How long tasks take, and how much memory, learnt from those that have run.
#ifndef PROCPOOL_DETAIL_SCHEDULER_TASK_TIMING_HPP
#define PROCPOOL_DETAIL_SCHEDULER_TASK_TIMING_HPP

#include <algorithm>
#include <cstdint>

namespace procpool::inline v0_1::detail::scheduler {

/// What the elements of one kind of task take; shared by all calls with the same callable.
class task_timing {
public:
    bool known() const noexcept { return mean_ns_ > 0; }
    double mean_ns() const noexcept { return mean_ns_; }
    /// Whether messages and changes of context cost more than they do.
    bool quick() const noexcept {
        constexpr double quick_ns = 20e3;
        return known() && mean_ns_ < quick_ns;
    }
    void add(double busy_ns, double elements) noexcept {
        const double mean = std::max(1.0, busy_ns / elements);
        // The newest batch counts most: what tasks take can change within a job.
        mean_ns_ = known() ? 0.5 * mean_ns_ + 0.5 * mean : mean;
    }

    /// Bytes by which a worker grows that runs them, at most; known where somebody looks at that.
    bool peak_known() const noexcept { return peak_known_; }
    std::uint64_t peak() const noexcept { return peak_; }
    void note_peak(std::uint64_t bytes) noexcept {
        peak_ = std::max(peak_, bytes);
        peak_known_ = true;
    }

private:
    double mean_ns_ = 0;
    std::uint64_t peak_ = 0;
    bool peak_known_ = false;
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
