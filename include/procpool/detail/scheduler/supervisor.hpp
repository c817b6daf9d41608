// SPDX-License-Identifier: MIT
// When to check what a peer is doing, and when to end it.
//
// Nobody polls: after each check it is known when the next one can matter.
#ifndef PROCPOOL_DETAIL_SCHEDULER_SUPERVISOR_HPP
#define PROCPOOL_DETAIL_SCHEDULER_SUPERVISOR_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/flush_policy.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/task_timing.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Elements of a cancelled job may come to their end by themselves: a new worker takes longer than some.
inline constexpr std::chrono::milliseconds cancel_grace{2};

/// Observers are told of an element that runs for longer, about.
inline constexpr std::chrono::milliseconds begin_told_after{20};

template <class = only_if_used>
class basic_supervisor {
public:
    /// A peer that is told to end has `terminate_grace` for it.
    basic_supervisor(peer_group& group, const time_source& clock, std::chrono::nanoseconds terminate_grace)
        : group_(group), clock_(clock), terminate_grace_(terminate_grace) {}

    std::chrono::nanoseconds terminate_grace() const noexcept { return terminate_grace_; }

    void check_after(peer& one, std::chrono::nanoseconds time) const {
        if (time == job::no_limit || one.checks_itself) return;
        one.check_at = std::min(one.check_at, clock_.now() + time);
    }

    /// It has got elements of `job`.
    void schedule_check(peer& one, const remote_job& job) const {
        // What it has besides has set checks of its own.
        if (one.work().elements() > 1) check_after(one, flush_policy_for(one.work().bulk()).collected_after);
        check_after(one, job.first_check_after());
        if (job.observed) check_after(one, begin_told_after);
    }
    /// Observers of what it has got are to be told of it when it runs for a while.
    void schedule_telling(peer& one) const {
        if (one.notes().are_wanted() && one.work().elements() > 0) check_after(one, begin_told_after);
    }

    /// After results came: those of the other elements may be held back.
    void schedule_collection(peer& one) const {
        one.idle_checks = 0;
        if (one.work().elements() > 1) check_after(one, flush_policy_for(one.work().bulk()).collected_after);
    }

    /// After a check at which a peer ran nothing, or still what it is stalled by: it may have no CPU, or be
    /// starting still, which takes as long as the program's own start; and what it is stalled by may be
    /// followed by another element that takes long. The more checks were in vain, the later the next one.
    void back_off(peer& one) const {
        constexpr unsigned most_doublings = 10;
        if (one.work().elements() < 2) return;
        check_after(one, interactive.collected_after * (1 << one.idle_checks));
        if (one.idle_checks < most_doublings) ++one.idle_checks;
    }

    /// Whether the element that runs takes far longer than those of its kind, while others wait behind it in
    /// the same peer; if that can still become so, sets when to check again.
    bool stalls(peer& one, steady_time now) const {
        constexpr double much = 4;
        if (!one.can_work() || one.work().elements() < 2) return false;
        const auto element = one.now_running();
        if (!element) return false;
        const task_timing* const timing = element->of->job->timing;
        const std::int64_t usual =
            timing && timing->known() ? static_cast<std::int64_t>(much * timing->mean_ns()) : 0;
        const std::chrono::nanoseconds long_time =
            std::max(interactive.collected_after, std::chrono::nanoseconds(usual));
        // A corrupt peer may have made up when it began.
        const steady_time end =
            std::min(steady_time(std::chrono::nanoseconds(element->since)), now) + long_time;
        if (now < end) one.check_at = std::min(one.check_at, end);
        return now >= end;
    }

    /// Ends a peer in which an element runs longer than it may, or for nobody: it is asked to end, and if it
    /// still lives after the grace, killed. Sets when to check again.
    void enforce_limits(peer& one, steady_time now) const {
        using ending = peer_group::ending;
        if (const auto& told = one.terminated_for()) {
            if (now >= told->kill_at)
                group_.end(one, ending::killed);
            else
                one.check_at = std::min(one.check_at, told->kill_at);
            return;
        }
        check_after(one, one.work().shortest_limit());
        const auto element = one.now_running();
        if (!element) return;
        const remote_job& job = *element->of->job;
        const auto unwanted_since = job.unwanted_since(element->index);
        const bool cancelled = unwanted_since.has_value();
        if (cancelled)
            one.ask_to_stop(*element);
        else if (job.soft_timeout != job::no_limit)
            ask_to_stop_after(one, *element, job.soft_timeout, now);
        const std::chrono::nanoseconds limit = cancelled ? cancel_grace : job.timeout;
        const bool limits_cpu = !cancelled && job.cpu_timeout != job::no_limit;
        if (limits_cpu && exceeds_cpu_time(one, *element)) {
            end_for(one, *element, peer::termination::reason::cpu_timeout, now);
            return;
        }
        if (limit == job::no_limit) return;
        const std::int64_t since = cancelled ? std::max(element->since, *unwanted_since) : element->since;
        const steady_time end = std::min(steady_time(std::chrono::nanoseconds(since)), now) + limit;
        if (now < end) {
            one.check_at = std::min(one.check_at, end);
            return;
        }
        using reason = peer::termination::reason;
        end_for(one, *element, cancelled ? reason::cancelled : reason::timeout, now);
    }

    /// Asks what runs there for nobody to stop, before it is ended.
    void ask_unwanted_to_stop(peer& one) const {
        const auto element = one.now_running();
        if (element && element->of->job->unwanted_since(element->index)) one.ask_to_stop(*element);
    }

    /// The same, whatever limits its oldest element has.
    void end_overdue(peer& one, steady_time now) const {
        const auto oldest = one.first_unanswered();
        if (oldest && !one.terminated_for()) end_for(one, *oldest, peer::termination::reason::timeout, now);
    }

private:
    void end_for(peer& one, const peer::running& element, peer::termination::reason why,
                 steady_time now) const {
        const steady_time kill_at =
            terminate_grace_ == job::no_limit ? steady_time::max() : now + terminate_grace_;
        one.terminate_for({why, element.number, kill_at});
        if (why != peer::termination::reason::cancelled) one.want_trace();
        one.check_at = kill_at;
        group_.end(one, peer_group::ending::asked);
    }
    /// If it isn't time yet, sets when to check again.
    static void ask_to_stop_after(peer& one, const peer::running& element, std::chrono::nanoseconds limit,
                                  steady_time now) {
        // A corrupt peer may have made up when it began.
        const steady_time due = std::min(steady_time(std::chrono::nanoseconds(element.since)), now) + limit;
        if (now >= due)
            one.ask_to_stop(element);
        else
            one.check_at = std::min(one.check_at, due);
    }
    /// If not, sets when to check again.
    bool exceeds_cpu_time(peer& one, const peer::running& element) const {
        const remote_job& job = *element.of->job;
        const auto used = one.cpu_time_of(element);
        if (used && *used >= job.cpu_timeout) return true;
        check_after(one, job.cpu_check_after(used.value_or(std::chrono::nanoseconds(0))));
        return false;
    }

    peer_group& group_;
    const time_source& clock_;
    const std::chrono::nanoseconds terminate_grace_;
};
using supervisor = basic_supervisor<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
