// SPDX-License-Identifier: MIT
// What a pool's facade asks of the thing that runs its jobs.
#ifndef PROCPOOL_DETAIL_BACKEND_POOL_BACKEND_HPP
#define PROCPOOL_DETAIL_BACKEND_POOL_BACKEND_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "procpool/detail/backend/driver.hpp"
#include "procpool/detail/backend/encode.hpp"
#include "procpool/detail/backend/remote_job.hpp"

namespace procpool::detail::backend {

/// Runs jobs somewhere. A file that only uses a pool compiles this; what is behind it, a file that makes one.
///
/// All functions are called with the lock held, unless they say otherwise.
class pool_backend : public driver {
public:
    /// Takes a job on. @throws PoolNotRunning, or the pool's own failure.
    virtual void add(const std::shared_ptr<remote_job>& job) = 0;
    /// Hands elements over; they run as soon as a worker has room.
    virtual void submit(const std::shared_ptr<remote_job>& job, block&& elements) = 0;
    /// An element that could not even be encoded.
    virtual void submit_failed(const std::shared_ptr<remote_job>& job, std::uint64_t index,
                               std::exception_ptr error) = 0;
    /// No more elements will come.
    virtual void seal(const std::shared_ptr<remote_job>& job) = 0;
    /// Whether more elements should be encoded now, so that the workers never wait for it.
    bool wants_more(const remote_job& job) const noexcept {
        constexpr std::uint64_t many_elements = 4096;
        constexpr std::size_t many_bytes = 1 << 20;
        return job.ready_elements < size() * job.chunk ||
               (job.ready_elements < many_elements && job.ready_bytes < many_bytes);
    }

    /// Nobody has said how many elements go together.
    void choose_chunks(remote_job& job, std::optional<std::uint64_t> /*count*/) const noexcept {
        job.guided = true;
    }

    /// Turns a range into elements of a job of this pool. Without the lock.
    template <class Iterator, class Sentinel>
    range_encoder<Iterator, Sentinel> reader(const remote_job& /*job*/, Iterator begin, Sentinel end) const {
        return {std::move(begin), std::move(end), arena_};
    }

    /// For large arguments; null if there is none. Without the lock.
    const std::shared_ptr<wire::arena>& arena() const noexcept { return arena_; }

protected:
    std::shared_ptr<wire::arena> arena_;  // stays as it is once the pool is made
};

}  // namespace procpool::detail::backend

#endif
