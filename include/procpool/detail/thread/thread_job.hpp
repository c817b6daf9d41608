// SPDX-License-Identifier: MIT
// A job whose elements run on threads of this process, where they find what they need.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_JOB_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_JOB_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1::detail::thread {

/// Elements [first, first + count) of a job.
struct elements {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::shared_ptr<void> values = {};  // of a type that their job knows; the owner may be the caller
    std::uint64_t begin = 0;            // which of the values is the first
    std::uint32_t attempt = 1;          // at them

    /// Cuts off `n` elements, or all if there are fewer.
    elements take_front(std::uint64_t n) {
        elements front{first, std::min(n, count), values, begin, attempt};
        first += front.count;
        begin += front.count;
        count -= front.count;
        return front;
    }
};

class thread_job : public job::basic_job {
public:
    /// Runs elements and keeps what comes of them. Lets the lock go meanwhile. @return how many have failed
    virtual std::uint64_t run(elements some, job::runner::lock& held) PROCPOOL_REQUIRES(pool_mutex) = 0;

    // The rest is the pool's, guarded by its mutex.
    std::uint64_t number = 0;  // among the jobs of the pool
    std::chrono::nanoseconds soft_timeout = job::no_limit;
    std::deque<elements> ready;
    bool listed = false;                        // among those that have elements ready
    std::uint64_t at_once = ~std::uint64_t{0};  // elements whose results are told together, at the most
    bool tells_each = false;                    // that is one, whatever they take
    bool withdrawn = false;                     // what has begun comes to its end, without delays
    std::optional<elements> put_off;            // one that has just failed, and runs again after a while

    /// Elements that have not begun are not to begin any more; read without the mutex.
    std::atomic<bool> stopped{false};
    /// Nor is anybody interested in those that run; read by them.
    std::atomic<bool> unwanted{false};
    bool repeatable = true;  // whether an element is there for a second attempt
    const job::runner* runs_in = nullptr;
};

/// @throws std::invalid_argument
template <class Options>
void apply_options(thread_job& job, const Options& options) {
    job::apply_options_but_timeout(job, options);
    if (options.timeout || options.cpu_timeout)
        job::refuse(
            "a thread can't be ended while it runs a task, so ThreadPool has no timeout and no cpu_timeout; use Pool, "
            "or soft_timeout, which the task can ask about: stop_requested()");
    job.soft_timeout = job::checked_soft_limit(options);
    if constexpr (requires { options.key; })
        if (options.key)
            job::refuse("ThreadPool has no key: its threads share all that one of them has loaded; use Pool");
    if (options.journal)
        job::refuse(
            "a journal keeps results as bytes, which a ThreadPool's are not, so it has none; use Pool");
    // Each then runs by itself, so that it can be put off.
    if (job::has_delays(job)) job.at_once = 1, job.tells_each = true;
    if (options.retries.times() > 0 && job.retry_exceptions && !job.repeatable)
        job::refuse(
            "what can only be moved is used up by the first attempt, so it can't be retried in a ThreadPool; "
            "let the task take it by reference");
}

}  // namespace procpool::inline v0_1::detail::thread

#endif
