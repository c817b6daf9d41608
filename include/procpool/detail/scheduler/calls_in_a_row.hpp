// SPDX-License-Identifier: MIT
// Single calls that are made one after the other: which of them share a job.
#ifndef PROCPOOL_DETAIL_SCHEDULER_CALLS_IN_A_ROW_HPP
#define PROCPOOL_DETAIL_SCHEDULER_CALLS_IN_A_ROW_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// What calls have in common that may share a job.
struct call_kind {
    const void* task = nullptr;            // the same for all calls of one type
    std::array<std::byte, 64> callable{};  // what distinguishes those of one type
    std::uint64_t generation = 0;  // of its code: a library may be closed, and another come to lie there
    job::plain_options options{};
    bool operator==(const call_kind&) const noexcept = default;
};

/// A pool's. Calls join the series that is open, until it is full, has all its results, or another job comes.
class calls_in_a_row {
public:
    explicit calls_in_a_row(pool_backend& pool) noexcept : pool_(pool) {}

    // ---- what calls ask

    /// The series that such a call can join now; null if there is none.
    std::shared_ptr<call_series> series_of(const call_kind& kind) const;
    /// Whether a series is worth while: the last call was of this kind, too, and some were submitted during
    /// which nobody drove. For each call that can join none.
    bool begins_series(const call_kind& kind) PROCPOOL_REQUIRES(pool_mutex);
    /// From now on such calls join this one. @throws as pool_backend::add()
    void open(const std::shared_ptr<call_series>& series) PROCPOOL_REQUIRES(pool_mutex);

    // ---- what the scheduler tells

    /// A single call or a block was submitted. @return whether there were some before, while nobody drove
    bool note_submitted() noexcept { return ++submitted_ > some; }
    /// Somebody drives.
    void note_driver() noexcept { submitted_ = 0; }

    /// No more calls join.
    void close() PROCPOOL_REQUIRES(pool_mutex);
    /// The job is over; if it is the series that was open, no more calls join. @return whether it was
    bool forget(const remote_job& job) noexcept;

private:
    static constexpr unsigned some = 4;

    pool_backend& pool_;
    std::shared_ptr<call_series> open_;
    call_kind last_kind_;     // that of the open series, if there is one
    unsigned submitted_ = 0;  // in a row
};

}  // namespace procpool::inline v0_1::detail::scheduler

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/scheduler/calls_in_a_row_impl.hpp"
#endif

#endif
