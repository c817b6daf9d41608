// SPDX-License-Identifier: MIT
// What a pool's facade asks of the thing that runs its jobs.
#ifndef PROCPOOL_DETAIL_BACKEND_POOL_BACKEND_HPP
#define PROCPOOL_DETAIL_BACKEND_POOL_BACKEND_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "procpool/detail/backend/driver.hpp"
#include "procpool/detail/backend/remote_job.hpp"

namespace procpool::detail::backend {

/// Runs jobs somewhere. A file that only uses a pool compiles this; what is behind it, a file that makes one.
///
/// All functions but size() are called with the lock held.
class pool_backend : public driver {
public:
    /// Number of workers.
    virtual std::size_t size() const noexcept = 0;

    /// Takes a job on. @throws PoolNotRunning, or the pool's own failure.
    virtual void add(const std::shared_ptr<remote_job>& job) = 0;
    /// Hands elements over; they run as soon as a worker has room.
    virtual void submit(const std::shared_ptr<remote_job>& job, block elements) = 0;
    /// An element that could not even be encoded.
    virtual void submit_failed(const std::shared_ptr<remote_job>& job, std::uint64_t index,
                               std::exception_ptr error) = 0;
    /// No more elements will come.
    virtual void seal(const std::shared_ptr<remote_job>& job) = 0;
    /// What happens to elements that run when their job is given up.
    enum class running { goes_on, is_ended };
    /// Nobody wants the results any more: what has not begun won't run. Nothing if the job is complete.
    /// @return whether anything was left to be given up
    virtual bool abandon(const std::shared_ptr<remote_job>& job, running what_runs, std::string why) = 0;

    /// No new jobs; those at hand go on.
    virtual void close() = 0;
    /// Waits until all work is done, then lets the workers go.
    virtual void join(lock& held) = 0;
    /// Ends all workers now; every pending result is PoolTerminated.
    virtual void terminate(lock& held) = 0;

    /// Whether more elements should be encoded now, so that the workers never wait for it.
    bool wants_more(const remote_job& job) const noexcept {
        constexpr std::uint64_t many_elements = 4096;
        constexpr std::size_t many_bytes = 1 << 20;
        return job.ready_elements < size() * job.chunk ||
               (job.ready_elements < many_elements && job.ready_bytes < many_bytes);
    }

    /// For large arguments; null if there is none. Without the lock.
    const std::shared_ptr<wire::arena>& arena() const noexcept { return arena_; }

    /// To be called after work was handed over that the caller does not wait for.
    void leave() { hand_over(); }

protected:
    std::shared_ptr<wire::arena> arena_;  // stays as it is once the pool is made
};

}  // namespace procpool::detail::backend

#endif
