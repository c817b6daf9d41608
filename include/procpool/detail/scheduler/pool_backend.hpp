// SPDX-License-Identifier: MIT
// What a pool's facade asks of the thing that runs its jobs.
#ifndef PROCPOOL_DETAIL_SCHEDULER_POOL_BACKEND_HPP
#define PROCPOOL_DETAIL_SCHEDULER_POOL_BACKEND_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Runs jobs somewhere. A file that only uses a pool compiles this; what is behind it, a file that makes one.
class pool_backend : public job::runner {
public:
    virtual std::vector<WorkerStatus> workers() PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Takes a job on. @throws PoolNotRunning, or the pool's own failure.
    virtual void add(const std::shared_ptr<remote_job>& job) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Hands elements over; they run as soon as a worker has room.
    virtual void submit(const std::shared_ptr<remote_job>& job, block&& elements)
        PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// An element that could not even be encoded.
    virtual void submit_failed(const std::shared_ptr<remote_job>& job, std::uint64_t index,
                               std::exception_ptr error) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// No more elements will come.
    virtual void seal(const std::shared_ptr<remote_job>& job) PROCPOOL_REQUIRES(pool_mutex) = 0;

    // ---- single calls of one kind in a row share a job

    struct call_kind {
        const void* task = nullptr;                           // the same for all calls of one type
        std::array<std::byte, 2 * sizeof(void*)> callable{};  // what distinguishes those of one type
        std::uint64_t generation = 0;  // of its code: a library may be closed, and another come to lie there
        bool operator==(const call_kind&) const noexcept = default;
    };
    /// The series that such a call can join now; null if there is none.
    std::shared_ptr<call_series> series_of(const call_kind& kind) const PROCPOOL_REQUIRES(pool_mutex) {
        return open_series_ && last_kind_ == kind && !open_series_->full() ? open_series_ : nullptr;
    }
    /// Whether a series is worth while: the last call was of this kind, too, and some were submitted during
    /// which nobody drove. For each call that can join none.
    bool begins_series(const call_kind& kind) PROCPOOL_REQUIRES(pool_mutex) {
        const bool again = last_kind_ == kind;
        if (!again) close_series();
        last_kind_ = kind;
        return again && submitted_in_a_row_ >= some_in_a_row;
    }
    /// From now on such calls join this one, until it is full, has all its results, or another job comes.
    /// @throws as add()
    void open_series(const std::shared_ptr<call_series>& series) PROCPOOL_REQUIRES(pool_mutex) {
        add(series);
        open_series_ = series;
    }
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

    /// For large arguments; null if there is none.
    const std::shared_ptr<wire::arena>& arena() const noexcept { return arena_; }

protected:
    /// No more calls join.
    void close_series() PROCPOOL_REQUIRES(pool_mutex) {
        if (const auto last = std::exchange(open_series_, nullptr)) {
            last->expected = 0;
            seal(last);
        }
    }

    std::shared_ptr<wire::arena> arena_;  // stays as it is once the pool is made
    std::shared_ptr<call_series> open_series_ PROCPOOL_GUARDED_BY(pool_mutex);
    static constexpr unsigned some_in_a_row = 4;
    /// Single calls and blocks, while nobody drove.
    unsigned submitted_in_a_row_ PROCPOOL_GUARDED_BY(pool_mutex) = 0;

private:
    call_kind last_kind_ PROCPOOL_GUARDED_BY(pool_mutex);  // that of the open series, if there is one
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
