// SPDX-License-Identifier: MIT
// The elements that are ready, of all jobs, and in which order the jobs take turns.
#ifndef PROCPOOL_DETAIL_SCHEDULER_READY_JOBS_HPP
#define PROCPOOL_DETAIL_SCHEDULER_READY_JOBS_HPP

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "procpool/detail/job/turns.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/keyed_jobs.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Jobs with elements that any peer may run, and those whose key says which one runs them.
template <class = only_if_used>
class basic_ready_jobs {
public:
    explicit basic_ready_jobs(const peer_group& group) noexcept : group_(group) {}

    /// Elements go behind those that are ready.
    void add(const std::shared_ptr<remote_job>& job, block&& elements) {
        count(*job, elements);
        job->ready.push_back(std::move(elements));
        list(job);
    }
    /// An element of `bytes` was appended to what is ready of the job.
    void appended(const std::shared_ptr<remote_job>& job, std::size_t bytes) {
        ++job->ready_elements;
        job->ready_bytes += bytes;
        list(job);
    }
    /// In front of those that are ready: they were given out before.
    void put_back(const std::shared_ptr<remote_job>& job, block&& elements) {
        count(*job, elements);
        job->ready.push_front(std::move(elements));
        if (std::exchange(job->listed, true)) return;
        turns_.add(*job);
        if (has_key(*job))
            keyed_.put_back(place_of_key(*job), job);
        else
            queue_.push_front(job);
    }

    /// Whether elements are ready that any peer may run.
    bool any_without_key() const noexcept { return !queue_.empty(); }
    bool any_with_key() const noexcept { return !keyed_.empty(); }
    /// A peer that spreads elements over workers of its own has no use for keys.
    bool has_key(const remote_job& job) const noexcept {
        return job.key && !group_.peers().front()->checks_itself;
    }

    /// Calls `give(job)` for each job without a key, one after the other, which gives out what it can of it
    /// and says whether that was any. Until one gets nothing, or none is left. @return whether any got some
    template <class Give>
    bool give_out_in_turn(Give give) {
        bool any = false;
        bool room_left = true;
        while (!queue_.empty() && room_left) {
            const std::size_t place = turns_.next(queue_);
            const auto at = queue_.begin() + static_cast<std::ptrdiff_t>(place);
            const std::shared_ptr<remote_job> job = std::move(*at);
            queue_.erase(at);
            const bool gave = give(job);
            if (gave) turns_.take();
            any = any || gave;
            job->listed = !job->ready.empty();
            if (!job->listed) continue;
            // Nobody overtakes a job that waits for room; one that had some lets the others go first, but for
            // single calls, which go in the order in which they were made.
            room_left = gave && !job->keeps_its_place;
            if (room_left)
                queue_.push_back(job);
            else
                queue_.insert(queue_.begin() + static_cast<std::ptrdiff_t>(place), job);
        }
        if (queue_.empty()) turns_.reset();
        return any;
    }
    /// The same for the jobs whose key names this place of the group.
    template <class Give>
    bool give_out_by_key(std::size_t place, Give give) {
        bool any = false;
        while (const std::shared_ptr<remote_job> job = keyed_.first(place)) {
            any = give(job) || any;
            job->listed = !job->ready.empty();
            if (job->listed) break;
            keyed_.remove_first(place);
        }
        return any;
    }

    /// The group has got another size, so keys name other places.
    void fit_to_size() {
        for (auto& job : keyed_.take_all()) keyed_.add(place_of_key(*job), job);
    }
    /// Nothing that is ready will run any more.
    void clear() { queue_.clear(), keyed_.clear(); }

private:
    void list(const std::shared_ptr<remote_job>& job) {
        if (std::exchange(job->listed, true)) return;
        turns_.add(*job);
        if (has_key(*job))
            keyed_.add(place_of_key(*job), job);
        else
            queue_.push_back(job);
    }
    std::size_t place_of_key(const remote_job& job) const noexcept {
        return keyed_jobs::place_of(*job.key, group_.size());
    }
    static void count(remote_job& job, const block& elements) noexcept {
        job.ready_elements += elements.count;
        job.ready_bytes += elements.weight();
    }

    const peer_group& group_;
    std::deque<std::shared_ptr<remote_job>> queue_;  // those without a key
    job::turns turns_;                               // of those
    keyed_jobs keyed_;
};
using ready_jobs = basic_ready_jobs<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
