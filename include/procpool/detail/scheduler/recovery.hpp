// SPDX-License-Identifier: MIT
// What a peer's death means for the elements that it had got.
#ifndef PROCPOOL_DETAIL_SCHEDULER_RECOVERY_HPP
#define PROCPOOL_DETAIL_SCHEDULER_RECOVERY_HPP

#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/delayed_tries.hpp"
#include "procpool/detail/scheduler/dispatcher.hpp"
#include "procpool/detail/scheduler/element_notes.hpp"
#include "procpool/detail/scheduler/memory_admission.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/observer.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// The element that was running gets another try, or the death as its error; those that were not begun run
/// elsewhere.
template <class = only_if_used>
class basic_recovery {
public:
    basic_recovery(peer_group& group, dispatcher& to, delayed_tries& again,
                   std::shared_ptr<remote_job> initializer)
        : group_(group), dispatcher_(to), tries_(again), initializer_(std::move(initializer)) {}

    /// Of a dead peer, whose results were all taken. Errors are appended to `into`.
    /// @return whether it died in its initializer
    bool recover(peer& dead, std::vector<delivery>& into) {
        auto interrupted = dead.interrupted();
        const bool in_initializer = interrupted && interrupted->of->job == initializer_;
        const bool all_known = dead.knows_what_began();
        while (interrupted && fail_or_retry(dead, *interrupted, into) && all_known)
            interrupted = dead.interrupted();
        requeue(dead);
        return in_initializer;
    }

    /// Elements that a peer had not begun go back to where they came from, in front.
    void requeue(peer& from) {
        std::deque<run> unfinished = from.take_unfinished();
        for (auto one = unfinished.rbegin(); one != unfinished.rend(); ++one) {
            if (!one->job || one->job == initializer_ || one->left() == 0) continue;
            if (one->job->id == wire::finalizer_number) continue;  // only that worker was to run it
            if (one->job->abandoned || one->job->failure()) continue;
            if (one->results > 0) one->elements.take_front(one->results);
            dispatcher_.push_front(one->job, std::move(one->elements));
        }
    }

    /// Elements that memory was short for run again.
    void use(memory_admission& memory) noexcept { memory_ = &memory; }

    const std::shared_ptr<remote_job>& initializer() const noexcept { return initializer_; }
    /// Why the last peer died in its initializer; null if none did.
    const std::exception_ptr& initializer_death() const noexcept { return initializer_death_; }

private:
    /// False if the element has nothing to do with the death.
    bool fail_or_retry(peer& dead, const peer::running& interrupted, std::vector<delivery>& into) {
        const std::shared_ptr<remote_job> job = interrupted.of->job;
        // It was told to end for the sake of an element that came to its end first: this one is innocent.
        if (const auto& cause = dead.terminated_for(); cause && cause->element < interrupted.number)
            return false;
        block element = dead.take_interrupted(*interrupted.of);
        const bool is_dropped = job->has_dropped(interrupted.index, 1);
        const death how = is_dropped ? death{} : group_.examine(dead, interrupted, element);
        // What others have taken was too much with it: that is no attempt.
        const bool alone = memory_ && how.out_of_memory && !element.alone && job != initializer_;
        const bool again =
            !alone && job != initializer_ && !is_dropped && element.attempts.size() < job->retries;
        const bool asks = again && job::depends_on_error(*job);
        std::optional<job::told_end> end;
        if (job->observed) end = end_of(dead, interrupted, element, is_dropped);
        if (end && !asks) element_notes::tell(*job, std::move(*end), again || alone);
        if (is_dropped) return true;
        if (memory_ && how.out_of_memory) memory_->note_death(dead, how.peak_memory);
        if (job == initializer_) {
            initializer_death_ = how.error;
            return true;
        }
        if (alone) {
            element.alone = true;
            dispatcher_.push_front(job, std::move(element));
            return true;
        }
        const auto attempt = static_cast<std::uint32_t>(element.attempts.size()) + 1;
        if (again) element.attempts.push_back(how.how);
        std::optional<second_try> undecided;
        if (asks)
            undecided = second_try{std::move(element), std::move(end)};
        else if (again)
            tries_.add(job, std::move(element));
        if (!again || asks)
            into.push_back({.job = job,
                            .first = interrupted.index,
                            .count = 1,
                            .what = delivery::kind::error,
                            .bytes = {},
                            .error = how.error,
                            .history = std::make_unique<element_history>(element_history{
                                .index = interrupted.index,
                                .facts = {.attempts = attempt,
                                          .asked_to_stop = dead.was_asked_to_stop(interrupted.number)},
                                .again = std::move(undecided)})});
        return true;
    }

    static job::told_end end_of(peer& dead, const peer::running& interrupted, const block& element,
                                bool is_dropped) noexcept {
        using termination = peer::termination;
        const auto& cause = dead.terminated_for();
        const bool is_cause = cause && cause->element == interrupted.number;
        const auto outcome = is_dropped || (is_cause && cause->why == termination::reason::cancelled)
                                 ? element_outcome::cancelled
                             : is_cause ? element_outcome::timed_out
                                        : element_outcome::worker_died;
        return dead.notes().end_of(dead.index, *interrupted.of, interrupted.index, interrupted.number,
                                   outcome, static_cast<std::uint32_t>(element.attempts.size()) + 1);
    }

    peer_group& group_;
    dispatcher& dispatcher_;
    delayed_tries& tries_;
    const std::shared_ptr<remote_job> initializer_;
    std::exception_ptr initializer_death_;
    memory_admission* memory_ = nullptr;
};
using recovery = basic_recovery<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
