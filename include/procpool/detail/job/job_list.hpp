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

    /// Takes a complete job out of those that are open; it, or a call of it that is over, is done when its
    /// callbacks have run. That takes no memory: where it is out jobs fail, and end here, too.
    /// @return whether the job as a whole is complete, and wasn't before
    bool complete(job_ptr job) noexcept PROCPOOL_REQUIRES(pool_mutex) {
        take_due_callbacks(job);
        if (!job->complete() || job->settled()) return false;
        if (job->place >= open_.size() || open_[job->place] != job) return false;
        open_.back()->place = job->place;
        open_[job->place].swap(open_.back());
        open_.pop_back();
        std::list<ending> last = job->take_callbacks();
        take_due_callbacks(job);
        if (last.empty())
            job->set_done();
        else
            add_completed(job, last);
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
    void end_callbacks(const ending& ended) {
        --callbacks_running_;
        if (ended.call)
            ended.job->set_call_done(*ended.call);
        else
            ended.job->set_done();
    }

    /// Something that is to be let go of without the lock; if there is no memory for that, at once.
    void retire(std::shared_ptr<const void> last) noexcept try {
        if (last) retired_.push_back(std::move(last));
    } catch (const std::bad_alloc&) {
    }
    /// What only waits for its destructors, the user's among them, to be run without the lock.
    std::vector<std::shared_ptr<const void>> take_retired() noexcept { return std::exchange(retired_, {}); }

private:
    void take_due_callbacks(const job_ptr& job) noexcept { add_completed(job, job->due_callbacks()); }
    void add_completed(const job_ptr& job, std::list<ending>& ended) noexcept {
        for (ending& one : ended) one.job = job;
        completed_.splice(completed_.end(), ended);
    }

    std::vector<job_ptr> open_;
    std::list<ending> completed_;
    unsigned callbacks_running_ = 0;
    std::vector<std::shared_ptr<const void>> retired_;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
