// SPDX-License-Identifier: MIT
// Which element a peer runs and since when, as far as can be known from what it tells.
#ifndef PROCPOOL_DETAIL_SCHEDULER_ELEMENT_WATCH_HPP
#define PROCPOOL_DETAIL_SCHEDULER_ELEMENT_WATCH_HPP

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/runs_in_flight.hpp"
#include "procpool/detail/wire/activity.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Compares what a peer tells with what it was given; a corrupt one may tell anything.
template <class = only_if_used>
class basic_element_watch {
public:
    using running = runs_in_flight::running;

    /// Whether it says that it runs an element.
    static bool says_it_runs(const wire::activity& told) noexcept {
        // In this order: what is seen to have ended has begun.
        const std::uint64_t ended = told.ended.load(std::memory_order_acquire);
        return ended < told.begun.load(std::memory_order_acquire);
    }
    /// Whether what it tells of its elements can be.
    static bool tells_the_possible(const wire::activity& told, const runs_in_flight& work) noexcept {
        const std::uint64_t ended = told.ended.load(std::memory_order_acquire);
        const std::uint64_t begun = told.begun.load(std::memory_order_acquire);
        const std::uint64_t claimed = told.claimed();
        return ended <= begun && work.results() <= begun && begun <= claimed &&
               claimed <= work.results() + work.elements();
    }
    /// Whether the number of elements that it began can be.
    static bool knows_what_began(const wire::activity& told, const runs_in_flight& work) noexcept {
        const std::uint64_t begun = told.begun.load(std::memory_order_acquire);
        return work.results() <= begun && begun <= work.results() + work.elements();
    }

    /// What runs now; nothing between two elements. If nothing comes from it any more and nothing was begun
    /// since `quiet_since` (steady ns, else 0), that is the oldest without a result, whatever it tells.
    std::optional<running> now_running(const wire::activity& told, runs_in_flight& work,
                                       std::int64_t quiet_since) const {
        const std::uint64_t begun = told.begun.load(std::memory_order_acquire);
        std::int64_t since = told.begun_at.load(std::memory_order_relaxed);
        const bool runs = begun != 0 && told.ended.load(std::memory_order_acquire) < begun;
        if (quiet_since != 0 && (!runs || begun - 1 != work.results()))
            return work.at(work.results(), quiet_since);
        if (!runs) return std::nullopt;
        if (begun == begun_seen_) since = std::min(since, begun_before_);
        return work.at(begun - 1, std::max(since, begun_after_));
    }

    /// Whether it has begun another element since the last call.
    bool progresses(const wire::activity& told, steady_time now) noexcept {
        const std::uint64_t begun = told.begun.load(std::memory_order_acquire);
        const bool changed = begun != std::exchange(begun_seen_, begun);
        const std::int64_t before = std::exchange(checked_at_, ns_of(now));
        if (changed) {
            begun_after_ = before;
            begun_before_ = checked_at_;
        }
        return changed;
    }

    /// Time (ns) and number of elements ended since the last call.
    std::pair<double, double> take_timing(const wire::activity& told) noexcept {
        const std::uint64_t ended = told.ended.load(std::memory_order_acquire);
        const std::int64_t busy = told.busy_ns.load(std::memory_order_relaxed);
        // As doubles: a corrupt worker's times may be any, and their difference none.
        const std::pair<double, double> since{static_cast<double>(busy) - static_cast<double>(busy_seen_),
                                              static_cast<double>(ended - ended_seen_)};
        busy_seen_ = busy;
        ended_seen_ = ended;
        return since;
    }

private:
    std::uint64_t ended_seen_ = 0;
    std::int64_t busy_seen_ = 0;
    std::uint64_t begun_seen_ = 0;
    std::int64_t checked_at_ = 0;  // steady ns
    // What runs was begun after the one and before the other, whatever the peer's clock says.
    std::int64_t begun_after_ = 0;
    std::int64_t begun_before_ = 0;
};
using element_watch = basic_element_watch<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
