// SPDX-License-Identifier: MIT
// What happens to peers, as their host tells it: results, time that passes, death.
#ifndef PROCPOOL_DETAIL_SCHEDULER_PEER_EVENTS_HPP
#define PROCPOOL_DETAIL_SCHEDULER_PEER_EVENTS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/delayed_tries.hpp"
#include "procpool/detail/scheduler/deliveries.hpp"
#include "procpool/detail/scheduler/dispatcher.hpp"
#include "procpool/detail/scheduler/memory_admission.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/recovery.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/scheduler/supervisor.hpp"
#include "procpool/detail/scheduler/task_timing.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Whoever drives collects results of peers into collected() and calls this.
template <class = only_if_used>
class basic_peer_events {
public:
    basic_peer_events(peer_group& group, dispatcher& jobs, delayed_tries& again, supervisor& limits,
                      deliveries& to, std::shared_ptr<remote_job> initializer)
        : dispatcher_(jobs),
          tries_(again),
          supervisor_(limits),
          deliveries_(to),
          recovery_(group, jobs, again, std::move(initializer)) {}

    /// For elements whose memory is limited.
    void use(memory_admission& memory) noexcept {
        memory_ = &memory;
        recovery_.use(memory);
    }

    /// Where results of peers are collected.
    std::vector<delivery>& collected() noexcept { return deliveries_.of_peers(); }

    /// Results of this peer were appended to collected(), or all that came was garbage.
    void note_results(peer& from) {
        const auto [busy, elements] = from.take_timing();
        if (elements > 0 && !collected().empty() && collected().back().job->timing)
            collected().back().job->timing->add(busy, elements);
        if (memory_) [[unlikely]]
            memory_->note_results(from);
        follow_up(from);
        from.unstall();
        from.keeps_all = false;
        supervisor_.schedule_collection(from);
        supervisor_.schedule_telling(from);
    }
    /// A peer that runs is due to be checked: takes results that are held back, ends what runs too long, and
    /// says when to check again. @throws wire::protocol_error for nonsense in results
    void check(peer& one, steady_time now) {
        bool changes = one.collect_early(collected());
        follow_up(one);
        changes = one.progresses(now) || changes;
        const bool runs = one.says_it_runs();
        if ((one.can_work() && one.work().has_dropped()) || (runs && supervisor_.stalls(one, now)))
            dispatcher_.take_back(one);
        if (changes)
            supervisor_.schedule_collection(one);
        else if (!runs || one.is(peer_state::stalled))
            supervisor_.back_off(one);
        if (one.notes().are_wanted() && !one.tell_what_runs()) supervisor_.schedule_telling(one);
        supervisor_.enforce_limits(one, now);
    }
    /// A peer that should have answered by now is ended, for its oldest element.
    void end_overdue(peer& one, steady_time now) { supervisor_.end_overdue(one, now); }
    /// A peer is dead, and what it left of results was appended to collected().
    /// @return whether it died in its initializer
    bool recover_work_of(peer& dead) {
        follow_up(dead);
        return recovery_.recover(dead, collected());
    }
    /// A peer was never started: what it had got runs elsewhere.
    void requeue_work_of(peer& absent) { recovery_.requeue(absent); }

    /// Elements that a peer was asked to give back, and had not begun, run elsewhere; those of a job that was
    /// withdrawn meanwhile have failed.
    void take_returned(std::vector<returned> back) {
        for (returned& one : back) {
            if (!one.job->error_when_withdrawn) continue;
            const auto [first, count] = std::pair(one.elements.first, std::exchange(one.elements.count, 0));
            if (one.job->abandoned || one.job->failure()) continue;
            for (std::uint64_t i = 0; i < count; ++i)
                deliveries_.fail(one.job, first + i, one.job->error_when_withdrawn);
        }
        dispatcher_.requeue(back);
    }

    /// The same of a message of a peer of many workers that has answered: results were appended to
    /// collected(), from `results` on, and elements came `back`. While each of its workers has something that
    /// takes long, it gets no more.
    void note_message(peer& from, std::size_t results, std::vector<returned> back) {
        if (collected().size() > results) note_results(from);
        if (back.empty()) return;
        if (from.work().elements() >= from.workers)
            from.stall();
        else
            from.unstall();
        take_returned(std::move(back));
    }

    /// Peers that have run all that they may since the last call.
    std::vector<peer*> take_finished() { return std::exchange(finished_, {}); }

    /// Run by each peer before anything else; null if there is none.
    const std::shared_ptr<remote_job>& initializer() const noexcept { return recovery_.initializer(); }
    /// Why the last peer died in its initializer.
    const std::exception_ptr& initializer_death() const noexcept { return recovery_.initializer_death(); }

private:
    /// After results of a peer were collected.
    void follow_up(peer& from) {
        for (returned& again : from.take_second_tries()) tries_.add(again.job, std::move(again.elements));
        if (dispatcher_.is_done_with(from) && from.work().elements() == 0) finished_.push_back(&from);
    }

    dispatcher& dispatcher_;
    delayed_tries& tries_;
    supervisor& supervisor_;
    deliveries& deliveries_;
    recovery recovery_;
    memory_admission* memory_ = nullptr;
    std::vector<peer*> finished_;  // that have run all that they may
};
using peer_events = basic_peer_events<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
