// SPDX-License-Identifier: MIT
// When to look at what a worker is doing, and when to end it.
//
// Nobody polls: after each look it is known when the next one can matter.
#ifndef PROCPOOL_DETAIL_SCHEDULER_SUPERVISION_HPP
#define PROCPOOL_DETAIL_SCHEDULER_SUPERVISION_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/flush_policy.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/scheduler/task_timing.hpp"

namespace procpool::detail::scheduler {

/// Elements of a cancelled job may come to their end by themselves: a new worker takes longer than some.
inline constexpr std::chrono::milliseconds cancel_grace{2};
/// A worker whose results have ended is dying; if nobody tells of its end for so long, it isn't.
inline constexpr std::chrono::milliseconds exit_news_timeout{100};
/// For so long the memory of large arguments and results is kept for the next ones.
inline constexpr std::chrono::seconds trim_delay{1};

template <class = only_if_used>
void check_after(process::worker_link& link, std::chrono::nanoseconds time) {
    if (time == job::no_limit) return;
    link.check_at = std::min(link.check_at, std::chrono::steady_clock::now() + time);
}

/// After results came: those of the other elements may be held back.
template <class = only_if_used>
void schedule_collection(process::worker_link& link) {
    link.idle_checks = 0;
    if (link.work().elements() > 1) check_after(link, flush_policy_for(link.work().bulk()).collected_after);
}

/// After a look at which a worker ran nothing, or still what it is stalled by: it may have no CPU, or be
/// starting still, which takes as long as the program's own start; and what it is stalled by may be followed
/// by another element that takes long. The more looks were in vain, the later the next one.
template <class = only_if_used>
void back_off(process::worker_link& link) {
    constexpr unsigned most_doublings = 10;
    if (link.work().elements() < 2) return;
    check_after(link, interactive.collected_after * (1 << link.idle_checks));
    if (link.idle_checks < most_doublings) ++link.idle_checks;
}

/// Whether the element that runs takes far longer than those of its kind, while others wait behind it in the
/// same worker; if that can still become so, sets when to look again.
template <class = only_if_used>
bool stalls(process::worker_link& link, steady_time now) {
    constexpr double much = 4;
    if (link.stalled || link.terminating || link.work().elements() < 2) return false;
    const auto element = link.now_running();
    if (!element) return false;
    const task_timing* const timing = element->of->job->timing;
    const std::int64_t usual =
        timing && timing->known() ? static_cast<std::int64_t>(much * timing->mean_ns()) : 0;
    const std::chrono::nanoseconds long_time =
        std::max(interactive.collected_after, std::chrono::nanoseconds(usual));
    const steady_time end = steady_time(std::chrono::nanoseconds(element->since)) + long_time;
    if (now < end) link.check_at = std::min(link.check_at, end);
    return now >= end;
}

/// The worker has got elements of `job`.
template <class = only_if_used>
void schedule_check(process::worker_link& link, const remote_job& job) {
    // What it has besides has set looks of its own.
    if (link.work().elements() > 1) check_after(link, flush_policy_for(link.work().bulk()).collected_after);
    check_after(link, job.timeout);
}

/// Ends a worker in which an element runs longer than it may, or for nobody: by SIGTERM, and if it still
/// lives after `grace`, by SIGKILL. Sets when to look again. `send` is called with the link and the signal.
template <class Send>
void enforce_limits(process::worker_link& link, steady_time now, std::chrono::nanoseconds grace, Send send) {
    using termination = process::worker_link::termination;
    if (link.terminating) {
        if (now >= link.terminating->kill_at)
            send(link, SIGKILL);
        else
            link.check_at = std::min(link.check_at, link.terminating->kill_at);
        return;
    }
    check_after(link, link.work().shortest_limit());
    const auto element = link.now_running();
    if (!element) return;
    const remote_job& job = *element->of->job;
    const auto unwanted_since = job.unwanted_since(element->index);
    const bool cancelled = unwanted_since.has_value();
    const std::chrono::nanoseconds limit = cancelled ? cancel_grace : job.timeout;
    if (limit == job::no_limit) return;
    const std::int64_t since = cancelled ? std::max(element->since, *unwanted_since) : element->since;
    const steady_time end = std::min(steady_time(std::chrono::nanoseconds(since)), now) + limit;
    if (now < end) {
        link.check_at = std::min(link.check_at, end);
        return;
    }
    const auto why = cancelled ? termination::reason::cancelled : termination::reason::timeout;
    const steady_time kill_at = grace == job::no_limit ? steady_time::max() : now + grace;
    link.terminating = termination{why, element->number, kill_at};
    link.check_at = link.terminating->kill_at;
    send(link, SIGTERM);
}

}  // namespace procpool::detail::scheduler

#endif
