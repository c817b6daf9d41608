// SPDX-License-Identifier: MIT
// A pool's jobs from their start to the end of their callbacks.
#ifndef PROCPOOL_DETAIL_JOB_JOB_LIST_HPP
#define PROCPOOL_DETAIL_JOB_JOB_LIST_HPP

#include <list>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/job/job.hpp"
#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1::detail::job {

/// `Job` is the kind of basic_job that the pool runs.
template <class Job>
class job_list {
public:
    using job_ptr = std::shared_ptr<Job>;

    /// Whether nothing is left to be run, neither elements nor callbacks.
    bool empty() const noexcept { return open_.empty() && completed_.empty() && callbacks_running_ == 0; }
    /// The jobs that are not complete, in no order.
    const std::vector<job_ptr>& open() const noexcept { return open_; }

    void add(const job_ptr& job) {
        job->place = open_.size();
        open_.push_back(job);
    }

    /// Takes a complete job out of those that are open; it is done when its callbacks have run. Those of a
    /// part that is over run, too, if the job isn't complete. That takes no memory: where it is out jobs
    /// fail, and end here, too.
    /// @return whether the job as a whole is complete, and wasn't before
    bool complete(job_ptr job) noexcept PROCPOOL_REQUIRES(pool_mutex) {
        const bool leaves = job->complete() && !job->settled() && is_open(job);
        if (leaves) {
            open_.back()->place = job->place;
            open_[job->place].swap(open_.back());
            open_.pop_back();
            job->settle();
        }
        for (ending& one : job->due_callbacks()) one.owner = job;
        completed_.splice(completed_.end(), job->due_callbacks());
        if (!leaves) return false;
        for (auto& pin : job->pins) retire(std::move(pin));
        job->pins.clear();
        retire(std::move(job));
        return true;
    }

    // ---- callbacks

    bool has_callbacks() const noexcept { return !completed_.empty(); }
    /// Those that run next; end_callbacks() must follow.
    std::optional<ending> begin_callbacks() {
        if (completed_.empty()) return std::nullopt;
        ending next = std::move(completed_.front());
        completed_.pop_front();
        ++callbacks_running_;
        return next;
    }
    void end_callbacks(ending& ended) noexcept {
        --callbacks_running_;
        ended.when_they_ran();
        retire(std::move(ended.owner));
    }

    /// Something that is to be let go of without the lock; if there is no memory for that, at once.
    void retire(std::shared_ptr<const void> last) noexcept try {
        if (last) retired_.push_back(std::move(last));
    } catch (const std::bad_alloc&) {
    }
    /// What only waits for its destructors, the user's among them, to be run without the lock.
    std::vector<std::shared_ptr<const void>> take_retired() noexcept { return std::exchange(retired_, {}); }

private:
    bool is_open(const job_ptr& job) const noexcept {
        return job->place < open_.size() && open_[job->place] == job;
    }

    std::vector<job_ptr> open_;
    std::list<ending> completed_;
    unsigned callbacks_running_ = 0;
    std::vector<std::shared_ptr<const void>> retired_;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
