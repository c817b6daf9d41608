// SPDX-License-Identifier: MIT
// What keeps the results of a job's elements, and has those of earlier runs.
#ifndef PROCPOOL_DETAIL_SCHEDULER_ELEMENT_JOURNAL_HPP
#define PROCPOOL_DETAIL_SCHEDULER_ELEMENT_JOURNAL_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>

namespace procpool::inline v0_1::detail::scheduler {

struct block;
class remote_job;

/// Of one job. May be called by several threads.
class element_journal {
public:
    element_journal() = default;
    element_journal(const element_journal&) = delete;
    element_journal& operator=(const element_journal&) = delete;
    virtual ~element_journal() = default;

    // ---- before elements are submitted, without the pool's lock

    /// Finds out what is known of these.
    virtual void look_up(const block& elements) = 0;

    // ---- when they are, with the lock

    enum class state : std::uint8_t {
        unknown,   ///< it is to run
        kept,      ///< its result is there
        given_up,  ///< it has killed its worker too often
    };
    struct alike {
        std::uint64_t count;
        state what;
    };
    /// How many elements from `first` on, `most` at the most, are in the same state as that one.
    virtual alike next_alike(std::uint64_t first, std::uint64_t most) = 0;
    /// Of one that is given up.
    virtual std::exception_ptr why_given_up(std::uint64_t index) = 0;
    /// How long an element ran; 0 if that isn't known. Its end is told later.
    virtual void ran(std::uint64_t index, std::chrono::nanoseconds time) = 0;

    // ---- when results are delivered, without the lock

    /// Puts kept results into the job.
    virtual void deliver(remote_job& job, std::uint64_t first, std::uint64_t count) = 0;
    /// Elements have these results, encoded with `stride`, which are to be written.
    virtual void add_values(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                            std::span<const std::byte> values) = 0;
    /// An element has failed.
    virtual void add_error(std::uint64_t index, const std::exception_ptr& error) = 0;
    /// Writes what was added.
    virtual void write() noexcept = 0;
    /// Why something could not be written; null if all was.
    virtual std::exception_ptr write_error() = 0;

    // ---- when the job is complete, with the lock

    /// Nothing is read or written any more. Another thread may hold the job for longer, and others want the
    /// file as soon as they know of the end.
    virtual void close() noexcept = 0;
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
