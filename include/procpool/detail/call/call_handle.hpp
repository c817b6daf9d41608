// SPDX-License-Identifier: MIT
// A handle of a call, whatever it returns.
#ifndef PROCPOOL_DETAIL_CALL_CALL_HANDLE_HPP
#define PROCPOOL_DETAIL_CALL_CALL_HANDLE_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include "procpool/detail/call/result_source.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/runner.hpp"

namespace procpool::inline v0_1::detail::call {

/// The part of an AsyncResult that doesn't know the type of the result, and says what its methods do.
class call_handle {
public:
    /// `job` and `ends` are one object.
    call_handle(std::shared_ptr<job::runner> pool, call_ends& ends, std::shared_ptr<job::basic_job> job,
                std::uint64_t call) noexcept
        : pool_(std::move(pool)), ends_(&ends), job_(std::move(job)), call_(call) {}

    bool wait_until(steady_time deadline) const;
    /// @throws TimeoutError
    void wait_or_throw(steady_time deadline) const;
    bool wait(const std::stop_token& stop) const;
    bool ready() const;
    /// As ready(), but callbacks may still be to run.
    bool settled() const;
    std::exception_ptr error() const { return ends_->error(call_); }
    /// If there is one.
    void throw_error() const;
    bool successful() const;
    bool cancel();
    /// Nobody waits for the result any more.
    void drop();
    void add_callback(const std::function<void()>& callback);

    const std::shared_ptr<job::runner>& pool() const noexcept { return pool_; }
    const std::shared_ptr<job::basic_job>& job() const noexcept { return job_; }
    call_ends& ends() const noexcept { return *ends_; }
    std::uint64_t call() const noexcept { return call_; }

private:
    std::shared_ptr<job::runner> pool_;
    call_ends* ends_;  // the job
    std::shared_ptr<job::basic_job> job_;
    std::uint64_t call_;  // of the job
};

}  // namespace procpool::inline v0_1::detail::call

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/call/call_handle_impl.hpp"
#endif

#endif
