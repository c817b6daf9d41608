// SPDX-License-Identifier: MIT
// What a pool's facade asks of the thing that runs its jobs.
#ifndef PROCPOOL_DETAIL_SCHEDULER_POOL_BACKEND_HPP
#define PROCPOOL_DETAIL_SCHEDULER_POOL_BACKEND_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1::detail::scheduler {

class call_series;
class calls_in_a_row;

/// Runs jobs somewhere. A file that only uses a pool compiles this; what is behind it, a file that makes one.
class pool_backend : public job::runner {
public:
    virtual std::vector<WorkerStatus> workers() PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// May let the lock go meanwhile.
    virtual Statistics stats(lock& held) PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Ends all work as terminate() does, but asks the workers to end instead of killing them.
    /// @return for how long they may take
    virtual std::chrono::nanoseconds ask_workers_to_end() PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Whether there are any.
    virtual bool has_workers() const PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Has so many workers from now on. @throws std::invalid_argument, PoolNotRunning
    virtual void resize(int workers) PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Takes a job on. @throws PoolNotRunning, or the pool's own failure.
    virtual void add(const std::shared_ptr<remote_job>& job) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Hands elements over; they run as soon as a worker has room.
    virtual void submit(const std::shared_ptr<remote_job>& job, block&& elements)
        PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Hands over an element for each worker, with the same arguments: it runs after what that has got.
    virtual void submit_to_each(const std::shared_ptr<remote_job>& job, const block& arguments)
        PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// An element that could not even be encoded.
    virtual void submit_failed(const std::shared_ptr<remote_job>& job, std::uint64_t index,
                               std::exception_ptr error) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// No more elements will come.
    virtual void seal(const std::shared_ptr<remote_job>& job) PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Single calls, and the series that they may join.
    virtual calls_in_a_row& in_a_row() noexcept PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// A call has joined, and its arguments, of `bytes`, were appended to the series' block.
    virtual void submit_call(const std::shared_ptr<call_series>& series, std::size_t bytes)
        PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Whether more elements should be encoded now, so that the workers never wait for it.
    bool wants_more(const remote_job& job) const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        constexpr std::uint64_t many_elements = 4096;
        constexpr std::size_t many_bytes = 1 << 20;
        return job.ready_elements < size() * job.chunk ||
               (job.ready_elements < many_elements && job.ready_bytes < many_bytes);
    }

    /// Whether how many elements go together depends on how many there are.
    static constexpr bool chunks_depend_on_count = false;
    /// Nobody has said how many elements go together.
    void choose_chunks(remote_job& job, std::optional<std::uint64_t> /*count*/) const noexcept {
        job.guided = true;
    }

    /// For large arguments; null if there is none, wire::other_machines() for workers there. Always the same.
    virtual const std::shared_ptr<wire::arena>& arena() const noexcept = 0;
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
