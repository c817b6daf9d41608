// SPDX-License-Identifier: MIT
// Elements that have failed and get another attempt, some of them only after a while.
#ifndef PROCPOOL_DETAIL_SCHEDULER_DELAYED_TRIES_HPP
#define PROCPOOL_DETAIL_SCHEDULER_DELAYED_TRIES_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/dispatcher.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// With the pool's lock held.
template <class = only_if_used>
class basic_delayed_tries {
public:
    basic_delayed_tries(dispatcher& to, const time_source& clock) : dispatcher_(to), clock_(clock) {}

    /// An element has failed, and its attempts tell how: it runs again as its job says.
    void add(const std::shared_ptr<remote_job>& job, block&& element) {
        const bool is_withdrawn = job->error_when_withdrawn && !job->gives_back;  // it comes to its end
        const auto delay =
            is_withdrawn ? std::chrono::nanoseconds(0) : job::delay_after(*job, element.attempts.size());
        if (delay.count() == 0)
            dispatcher_.push_front(job, std::move(element));
        else if (!job->has_dropped(element.first, 1))
            waiting_.emplace(clock_.now() + delay, returned{job, std::move(element)});
    }
    /// When the first of those that wait is due.
    steady_time next() const noexcept {
        return waiting_.empty() ? steady_time::max() : waiting_.begin()->first;
    }
    /// Those that are due are ready.
    void end_due() {
        if (waiting_.empty()) return;
        const auto due = waiting_.upper_bound(clock_.now());
        std::vector<returned> ready;
        for (auto at = waiting_.begin(); at != due; ++at) ready.push_back(std::move(at->second));
        waiting_.erase(waiting_.begin(), due);
        make_ready(std::move(ready));
    }
    /// All of a job are.
    void end_delays(const remote_job& job) { make_ready(take(job)); }

    bool has(const job::basic_job& job) const noexcept {
        return std::any_of(waiting_.begin(), waiting_.end(),
                           [&](const auto& entry) { return entry.second.job.get() == &job; });
    }
    /// Nothing of this job will run any more.
    void drop(const remote_job& job) { take(job); }
    /// This element needn't run.
    void drop(const remote_job& job, std::uint64_t index) {
        std::erase_if(waiting_, [&](const auto& entry) {
            return entry.second.job.get() == &job && entry.second.elements.first == index;
        });
    }
    void clear() noexcept { waiting_.clear(); }

    /// `visit(job, index)` for each that waits.
    template <class Visit>
    void each(Visit visit) const {
        for (const auto& [due, one] : waiting_) visit(*one.job, one.elements.first);
    }

private:
    std::vector<returned> take(const remote_job& job) {
        std::vector<returned> all;
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            if (at->second.job.get() != &job) {
                ++at;
                continue;
            }
            all.push_back(std::move(at->second));
            at = waiting_.erase(at);
        }
        return all;
    }
    void make_ready(std::vector<returned> some) {
        for (returned& one : some) dispatcher_.push_front(one.job, std::move(one.elements));
    }

    dispatcher& dispatcher_;
    const time_source& clock_;
    std::multimap<steady_time, returned> waiting_;  // by when they are due
};
using delayed_tries = basic_delayed_tries<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
