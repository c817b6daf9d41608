// SPDX-License-Identifier: MIT
// A job as handles of results see it.
#ifndef PROCPOOL_DETAIL_CALL_RESULT_SOURCE_HPP
#define PROCPOOL_DETAIL_CALL_RESULT_SOURCE_HPP

#include <cstdint>
#include <exception>
#include <functional>

#include "procpool/detail/call/results.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1::detail::call {

/// How the calls of a job end. Each handle is of one call: that is the whole job, as number 0, or an element
/// of it where single calls share a job.
class call_ends {
public:
    virtual ~call_ends() = default;

    // With the mutex of who runs the job, where nothing else is said.

    /// Its result is there, and its callbacks have run: a waiter may check.
    virtual bool call_done(std::uint64_t call) const noexcept = 0;
    /// Whether it is done, as far as can be seen without the mutex.
    virtual bool call_seen_done(std::uint64_t call) const noexcept = 0;
    /// Its result is there; callbacks may still be to run.
    virtual bool call_settled(std::uint64_t call) const noexcept = 0;
    /// What ended it other than its task; null if nothing did.
    virtual std::exception_ptr call_failure(std::uint64_t call) = 0;
    /// Runs `callback` when the call is over; false if it is already, and the caller must run it.
    virtual bool add_call_callback(std::uint64_t call, std::function<void()> callback) = 0;
    /// As job::basic_job::observe(), of one call.
    virtual void observe_call(std::uint64_t call, job::observer& one) PROCPOOL_REQUIRES(pool_mutex) = 0;
    virtual void drop_observer(std::uint64_t call, job::observer& one) noexcept
        PROCPOOL_REQUIRES(pool_mutex) = 0;

    // The rest: once the call is over. Without the mutex.

    /// Whether it was a map over nothing.
    virtual bool was_empty() const noexcept = 0;
    virtual std::exception_ptr error(std::uint64_t call) = 0;
    /// The value was moved out.
    virtual void taken(std::uint64_t call) = 0;
};

/// The same with the end results, of type T.
template <class T>
class result_source : public call_ends {
public:
    virtual stored<T>& value(std::uint64_t call) = 0;
};

}  // namespace procpool::inline v0_1::detail::call

#endif
