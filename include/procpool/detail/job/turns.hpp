// SPDX-License-Identifier: MIT
// Whose turn it is among jobs that wait for a worker.
#ifndef PROCPOOL_DETAIL_JOB_TURNS_HPP
#define PROCPOOL_DETAIL_JOB_TURNS_HPP

#include <algorithm>
#include <cstddef>
#include <utility>

namespace procpool::inline v0_1::detail::job {

/// One after the other where all have the same priority. Else the first of those with the highest; but each
/// eighth time the one that has waited longest, so that none waits for ever.
class turns {
public:
    /// A job joins those that wait.
    template <class Job>
    void add(const Job& job) noexcept {
        if (job.priority != 0) differ_ = true;
    }
    /// Where in `waiting`, which has the one that has waited longest in front, the next one is.
    template <class Queue>
    std::size_t next(const Queue& waiting) const {
        if (!differ_ || taken_ % longest_wait == longest_wait - 1) return 0;
        const auto first = std::max_element(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) {
            return a->priority < b->priority;
        });
        return static_cast<std::size_t>(first - waiting.begin());
    }
    /// The one that next() has named has got something.
    void take() noexcept {
        if (differ_) ++taken_;
    }
    /// Takes the next one out, which is sure to get something.
    template <class Queue>
    typename Queue::value_type take_from(Queue& waiting) {
        const auto at = waiting.begin() + static_cast<typename Queue::difference_type>(next(waiting));
        typename Queue::value_type job = std::move(*at);
        waiting.erase(at);
        take();
        if (waiting.empty()) reset();
        return job;
    }
    /// None waits any more.
    void reset() noexcept { differ_ = false; }

private:
    static constexpr unsigned longest_wait = 8;
    bool differ_ = false;  // their priorities
    unsigned taken_ = 0;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
