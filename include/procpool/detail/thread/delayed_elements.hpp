// SPDX-License-Identifier: MIT
// Elements that have failed in a thread, and run again only after a while.
#ifndef PROCPOOL_DETAIL_THREAD_DELAYED_ELEMENTS_HPP
#define PROCPOOL_DETAIL_THREAD_DELAYED_ELEMENTS_HPP

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/thread/thread_job.hpp"

namespace procpool::inline v0_1::detail::thread {

/// By the time at which they are due.
template <class = only_if_used>
class basic_delayed_elements {
public:
    struct one_of {
        std::shared_ptr<thread_job> job;
        elements one;
    };

    bool empty() const noexcept { return waiting_.empty(); }
    /// When the first is due.
    steady_time next() const noexcept {
        return waiting_.empty() ? steady_time::max() : waiting_.begin()->first;
    }
    void add(const std::shared_ptr<thread_job>& job, elements&& one, steady_time due) {
        waiting_.emplace(due, one_of{job, std::move(one)});
    }
    std::vector<one_of> take_due(steady_time now) {
        std::vector<one_of> due;
        const auto end = waiting_.upper_bound(now);
        for (auto at = waiting_.begin(); at != end; ++at) due.push_back(std::move(at->second));
        waiting_.erase(waiting_.begin(), end);
        return due;
    }
    /// All of a job.
    std::vector<elements> take(const job::basic_job& job) {
        std::vector<elements> all;
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            if (at->second.job.get() != &job) {
                ++at;
                continue;
            }
            all.push_back(std::move(at->second.one));
            at = waiting_.erase(at);
        }
        return all;
    }
    bool has(const job::basic_job& job) const noexcept {
        return std::any_of(waiting_.begin(), waiting_.end(),
                           [&](const auto& entry) { return entry.second.job.get() == &job; });
    }

private:
    std::multimap<steady_time, one_of> waiting_;
};
using delayed_elements = basic_delayed_elements<>;

}  // namespace procpool::inline v0_1::detail::thread

#endif
