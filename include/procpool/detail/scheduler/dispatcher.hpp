// SPDX-License-Identifier: MIT
// Gives elements that are ready to workers: which worker gets how much of a job.
#ifndef PROCPOOL_DETAIL_SCHEDULER_DISPATCHER_HPP
#define PROCPOOL_DETAIL_SCHEDULER_DISPATCHER_HPP

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/memory_admission.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/peer_state.hpp"
#include "procpool/detail/scheduler/ready_jobs.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/supervisor.hpp"
#include "procpool/detail/scheduler/window.hpp"
#include "procpool/detail/wire/element_times.hpp"
#include "procpool/detail/wire/frame.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// The elements that are ready, of all jobs in turn.
template <class = only_if_used>
class basic_dispatcher {
public:
    /// A peer gets `max_elements` in its life. The `initializer`, if there is one, is its first element and
    /// not among them.
    basic_dispatcher(peer_group& group, supervisor& watch, std::uint64_t max_elements,
                     const std::shared_ptr<remote_job>& initializer)
        : group_(group),
          watch_(watch),
          max_elements_(max_elements),
          has_initializer_(initializer != nullptr),
          ready_(group) {}

    /// Elements go behind those that are ready; a single one, if there are none, to a worker that has room.
    void add(const std::shared_ptr<remote_job>& job, block&& elements) {
        if (!has_ready() && elements.count == 1 && !ready_.has_key(*job)) {
            peer* const to = least_loaded();
            if (to && room(*to, *job, 1) > 0) {
                give(*to, job, std::move(elements));
                return;
            }
        }
        ready_.add(job, std::move(elements));
    }
    /// An element of `bytes` was appended to what is ready of the job.
    void appended(const std::shared_ptr<remote_job>& job, std::size_t bytes) { ready_.appended(job, bytes); }
    /// An element for one peer goes behind those that are for it.
    void push_back(const std::shared_ptr<remote_job>& job, block&& element) {
        for_one_.push_back({job, std::move(element)});
    }
    /// In front of those that are ready: they were given out before. Without those that nobody wants.
    void push_front(const std::shared_ptr<remote_job>& job, block&& elements) {
        if (job->has_dropped(elements.first, elements.count)) {
            const auto wanted = [&](std::uint64_t n) { return !job->has_dropped(elements.first + n, 1); };
            for (std::uint64_t begin = elements.count; begin > 0;) {
                const std::uint64_t end = begin;
                while (begin > 0 && wanted(begin - 1)) --begin;
                if (begin < end)
                    push_front(job, elements.copy(begin, end - begin));
                else
                    --begin;
            }
            return;
        }
        if (job->for_each_peer) {
            for_one_.push_front({job, std::move(elements)});
            return;
        }
        ready_.put_back(job, std::move(elements));
    }
    /// An element was given up; if it is ready, it won't be given out.
    static void drop(remote_job& job, std::uint64_t index) { job.drop_ready(index); }

    /// So many elements are worth a message of their own.
    static constexpr std::uint64_t min_batch = 64;
    /// Whether peers may get what they were given later, with more.
    enum class sending { now, together };

    /// Gives out what is ready to workers that have room, one job after the other.
    /// @return when the first of them that got something is to be checked
    steady_time dispatch(sending when = sending::now) {
        if (!for_one_.empty()) give_to_each();
        if (!ready_.any_with_key()) [[likely]] {
            give_out_in_turn();
        } else if (keyed_first_) {  // who got something lets the others go first
            keyed_first_ = !give_out_by_key();
            give_out_in_turn();
        } else {
            keyed_first_ = give_out_in_turn();
            give_out_by_key();
        }
        steady_time next_check = steady_time::max();
        std::erase_if(touched_, [&](peer* const to) {
            next_check = std::min(next_check, to->check_at);
            if (when == sending::together && below_min_batch(*to)) return false;
            group_.send(*to);
            return true;
        });
        return next_check;
    }

    /// Elements that a worker has got and not claimed go where they are run sooner, apart from those of the
    /// chunk that it has begun. @return whether there were any
    bool take_back(peer& to) {
        const bool begun = to.told().begun.load(std::memory_order_acquire) > 0;
        if (!begun && has_initializer_) {  // which is not to be taken back
            watch_.check_after(to, cancel_grace);
            return false;
        }
        std::vector<returned> back = to.recall();
        if (to.work().elements() >= to.workers)
            to.stall();  // until the result of what runs has come
        else
            to.unstall();
        if (begun && !back.empty() && !back.front().job->abandoned) {
            auto& [job, rest] = back.front();
            const std::uint64_t of_chunk = rest.first % job->chunk;
            if (of_chunk != 0)
                to.give(job, rest.take_front(std::min(rest.count, job->chunk - of_chunk)),
                        elements_together(*job));
        }
        const bool any = requeue(back);
        group_.send(to);
        return any;
    }
    /// Elements that a peer gives back are ready again. @return whether there were any
    bool requeue(std::vector<returned>& back) {
        bool any = false;
        for (auto one = back.rbegin(); one != back.rend(); ++one) {
            if (one->elements.count == 0 || one->job->abandoned || one->job->failure()) continue;
            if (one->job->id == wire::finalizer_number) continue;  // only that peer was to run it
            any = any || !one->job->for_each_peer;
            push_front(one->job, std::move(one->elements));
        }
        return any;
    }

    /// Where a worker has nothing left to do and no element is ready, it gets a part of what waits in another
    /// one.
    void relieve_busiest() {
        if (has_ready()) return;
        const auto peers = group_.peers();
        if (std::none_of(peers.begin(), peers.end(), [&](const peer* idle) {
                return idle->work().elements() == 0 && can_work(*idle) && waits_for_work(*idle);
            }))
            return;
        constexpr double worthwhile_ns = 200e3;
        peer* busiest = nullptr;
        double longest = worthwhile_ns;
        for (peer* const one : peers) {
            if (!can_work(*one) || one->keeps_all) continue;
            // What is still on its way would only be sent once more: it must have claimed something, which
            // stays.
            const std::uint64_t begun = one->told().begun.load(std::memory_order_acquire);
            const std::uint64_t claimed = one->told().claimed();
            if (has_key_at_end(*one)) continue;  // it would get it again
            if (claimed < begun || claimed <= one->work().results()) continue;
            const double waiting = one->work().waiting_ns(claimed) / static_cast<double>(one->workers);
            if (waiting <= longest) continue;
            longest = waiting;
            busiest = one;
        }
        if (!busiest) return;
        busiest->keeps_all = !take_back(*busiest);
        busiest->unstall();
        dispatch();
    }

    /// The group has got another size: a peer that has no place any more gives back what it has not begun,
    /// and is finished when it has run the rest.
    void fit_to_size() {
        ready_.fit_to_size();
        const auto peers = group_.peers();
        for (std::size_t place = 0; place < peers.size(); ++place) {
            peer& one = *peers[place];
            if (one.leaving) continue;
            if (place < group_.size()) {
                if (one.work().elements() > 0) one.retired = false;  // else it is leaving
            } else if (one.is_alive() && !std::exchange(one.retired, true)) {
                if (one.can_work()) take_back(one);
                one.check_at = steady_time::min();
            }
        }
    }
    /// Whether elements are ready that any peer may run.
    bool has_ready() const noexcept { return ready_.any_without_key(); }
    /// Nothing that is ready will run any more.
    void clear() { ready_.clear(); }

    /// Elements are given only as far as this admits them.
    void use(memory_admission& memory) noexcept { memory_ = &memory; }

    /// Whether a peer may get elements.
    bool can_work(const peer& one) const noexcept { return one.can_work() && !is_done_with(one); }
    /// Whether a worker has got all that it gets in its life.
    bool is_done_with(const peer& to) const noexcept {
        return to.retired || to.leaving || to.taken >= max_elements_ ||
               to.told().overgrown.load(std::memory_order_acquire) != 0;
    }

private:
    /// Until nobody has room, or nothing is left. @return whether there was any
    bool give_out_in_turn() {
        return ready_.give_out_in_turn([this](const std::shared_ptr<remote_job>& job) {
            bool any = false;
            while (!job->ready.empty()) {
                peer* const to = least_loaded();
                if (!to || !give_ready(*to, job)) break;
                any = true;
            }
            return any;
        });
    }
    /// To each peer what only that one runs, as far as it has room. @return whether there was any
    bool give_out_by_key() {
        bool any = false;
        const auto peers = group_.peers();
        for (std::size_t place = 0; place < peers.size(); ++place) {
            peer& to = *peers[place];
            any = ready_.give_out_by_key(place, [&](const std::shared_ptr<remote_job>& job) {
                bool some = false;
                while (!job->ready.empty() && can_work(to) && give_ready(to, job)) some = true;
                return some;
            }) || any;
        }
        return any;
    }
    /// Of the first that are ready of the job, as many as there is room for. @return whether there is any
    bool give_ready(peer& to, const std::shared_ptr<remote_job>& job) {
        const std::uint64_t count = room(to, *job, job->ready.front().count);
        if (count > 0) give(to, job, job->take_ready(count));
        return count > 0;
    }
    bool has_key_at_end(const peer& one) const noexcept {
        const auto& runs = one.work().runs();
        return !runs.empty() && runs.back().job && ready_.has_key(*runs.back().job);
    }

    static bool waits_for_work(const peer& one) noexcept {
        return one.told().ready.load(std::memory_order_acquire) != 0;
    }

    peer* least_loaded() {
        peer* best = nullptr;
        for (peer* const one : group_.peers()) {
            if (!can_work(*one)) continue;
            if (!best || is_less_loaded(*one, *best)) best = one;
        }
        return best;
    }

    static bool is_less_loaded(const peer& one, const peer& other) noexcept {
        const std::uint64_t load = one.work().elements() * other.workers;
        const std::uint64_t load_of_other = other.work().elements() * one.workers;
        return load != load_of_other ? load < load_of_other : !waits_for_work(other) && waits_for_work(one);
    }

    static bool below_min_batch(const peer& one) noexcept { return one.work().unsent_elements() < min_batch; }

    /// How many elements of `job`, `most` at the most, to give to `to` now.
    std::uint64_t room(peer& to, const remote_job& job, std::uint64_t most) {
        const std::uint64_t may_take = max_elements_ - to.taken;
        if (job.observed || job.journal) most = std::min(most, room_for_times(to));
        most = std::min(elements_to_give(job, group_.workers(), to.workers, to.work().elements(),
                                         to.work().bytes(), may_take),
                        most);
        return memory_ ? memory_->admit(to, job, most) : most;
    }

    /// Elements whose times don't overwrite those of others that have no result yet.
    static std::uint64_t room_for_times(const peer& to) noexcept {
        const std::uint64_t all = wire::element_times::capacity * to.workers;
        return all - std::min(all, to.work().elements());
    }

    /// Elements for one peer each, as far as those may get some.
    void give_to_each() {
        const auto peers = group_.peers();
        std::erase_if(for_one_, [&](returned& one) {
            if (one.job->abandoned || one.job->failure()) {
                // What they hold may be the user's: it goes with the job.
                one.job->ready.push_back(std::move(one.elements));
                return true;
            }
            // Where resize() has taken the place away another worker runs it.
            peer& to = *peers[one.elements.first % group_.size()];
            if (!can_work(to)) return false;
            give(to, one.job, std::move(one.elements));
            return true;
        });
    }

    void give(peer& to, const std::shared_ptr<remote_job>& job, block&& elements) {
        const std::uint64_t first = elements.first;
        const std::uint64_t count = elements.count;
        to.give(job, std::move(elements), elements_together(*job));
        if (job->observed) to.notes().given(to.index, *job, first, count, to.work().elements());
        watch_.schedule_check(to, *job);
        if (std::find(touched_.begin(), touched_.end(), &to) == touched_.end()) touched_.push_back(&to);
    }

    peer_group& group_;
    supervisor& watch_;
    memory_admission* memory_ = nullptr;
    const std::uint64_t max_elements_;
    const bool has_initializer_;
    ready_jobs ready_;
    bool keyed_first_ = false;
    std::deque<returned> for_one_;  // elements for one peer each
    std::vector<peer*> touched_;    // with something new to send
};
using dispatcher = basic_dispatcher<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
