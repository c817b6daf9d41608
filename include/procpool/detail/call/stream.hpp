// SPDX-License-Identifier: MIT
// An imap() between its input and its consumer, wherever its elements run.
#ifndef PROCPOOL_DETAIL_CALL_STREAM_HPP
#define PROCPOOL_DETAIL_CALL_STREAM_HPP

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "procpool/detail/call/results.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::call {

/// Of a task that returns an R. One thread at a time; without the lock.
template <class R>
class stream {
public:
    using slot = typename stream_of_results<R>::slot;

    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    virtual ~stream() = default;

    /// The next slot; nothing at the end. @throws TimeoutError; what the input throws, after the slots of the
    /// elements before
    std::optional<slot> next(steady_time until = steady_time::max()) {
        pool_->refuse_copy();  // and leave the input alone
        fill();
        if (yielded_ == pulled_) {
            if (input_error_) std::rethrow_exception(std::exchange(input_error_, nullptr));
            return std::nullopt;
        }
        std::optional<slot> next;
        {
            auto lock = pool_->acquire();
            // Results that are being stored while the job fails still come, in order.
            const auto ready = [&]() PROCPOOL_REQUIRES(pool_mutex) {
                return results_->has_next() || (job_->failure() && job_->complete());
            };
            if (!pool_->wait_or_poll(lock, ready, std::min(until, deadline), job_.get()))
                throw TimeoutError("procpool: no result in the time given");
            if (results_->has_next()) {
                next = results_->take_next();
            } else {
                next = slot{std::nullopt, job_->failure(), true, results_->take_missing()};
                exhausted_ = true;  // what the pool has got is all that there will be
            }
        }
        ++yielded_;
        index = next->index;
        return next;
    }

    /// What has not begun won't run.
    void abandon() { pool_->drop(job_, when_left, "procpool: nobody takes the results any more"); }

    std::uint64_t index = 0;                                          // of the slot that was taken last
    std::optional<slot> current;                                      // the consumer's iterator's
    steady_time deadline = steady_time::max();                        // of all slots
    job::runner::running when_left = job::runner::running::is_ended;  // what becomes of elements that run

protected:
    template <class Job>
    stream(std::shared_ptr<job::runner> pool, const std::shared_ptr<Job>& job)
        : pool_(std::move(pool)), job_(job), results_(&job->results) {}

    /// Pulls input until the window is full.
    virtual void fill() = 0;

    std::uint64_t pulled_ = 0;
    std::uint64_t yielded_ = 0;
    bool exhausted_ = false;
    std::exception_ptr input_error_;

private:
    std::shared_ptr<job::runner> pool_;
    std::shared_ptr<job::basic_job> job_;
    stream_of_results<R>* results_;
};

}  // namespace procpool::inline v0_1::detail::call

#endif
