// SPDX-License-Identifier: MIT
// What a worker shares with its pool, so that its death leaves no question open.
#ifndef PROCPOOL_DETAIL_WORKER_BLACK_BOX_HPP
#define PROCPOOL_DETAIL_WORKER_BLACK_BOX_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "procpool/detail/posix/crash.hpp"

namespace procpool::detail::worker {

/// Written by the worker, read by the pool, unless it says otherwise. Counters start at 0 with each new
/// worker of a slot.
struct black_box {
    /// The worker's process id: here it is known before the zygote's news of its birth come.
    std::atomic<std::int64_t> pid{0};
    /// 1 once the worker waits for its first element.
    std::atomic<std::uint64_t> ready{0};
    /// Elements begun. One more than the results means: the next one was running.
    std::atomic<std::uint64_t> begun{0};
    /// When the last one was begun, in steady nanoseconds.
    std::atomic<std::int64_t> begun_at{0};
    /// Elements ended, and the time that they took in all.
    std::atomic<std::uint64_t> ended{0};
    std::atomic<std::int64_t> busy_ns{0};

    // The outbox holds the piece [base, committed) of the stream of bytes that goes into the result pipe.
    // What the pool has not received when the worker dies, it takes from there.
    std::atomic<std::uint64_t> base{0};
    std::atomic<std::uint64_t> committed{0};
    /// Where the frame starts that is still being filled (its header lacks the length).
    std::atomic<std::uint64_t> open_frame{no_frame};

    /// 1 once its memory has grown so much that it should be replaced.
    std::atomic<std::uint64_t> overgrown{0};
    /// The last of the calls on its stack, if it crashed.
    posix::crash_record crash;

    /// Written by the pool: jobs whose elements need not be begun any more, each in the place of its number
    /// modulo the size. What a newer number displaces runs, and its result is dropped.
    std::array<std::atomic<std::uint64_t>, 64> cancelled_jobs{};

    void cancel(std::uint64_t job) noexcept {
        cancelled_jobs[job % cancelled_jobs.size()].store(job, std::memory_order_relaxed);
    }
    bool cancelled(std::uint64_t job) const noexcept {
        return job != 0 && cancelled_jobs[job % cancelled_jobs.size()].load(std::memory_order_relaxed) == job;
    }

    static constexpr std::uint64_t no_frame = ~std::uint64_t{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// Each slot's piece of the pool's shared memory: its black box, then its outbox. Both are touched, and so
/// take memory, only as far as they are used.
inline constexpr std::size_t slot_memory = 128 * 1024;
inline constexpr std::size_t outbox_offset = 1024;
inline constexpr std::size_t outbox_capacity = slot_memory - outbox_offset;
static_assert(sizeof(black_box) <= outbox_offset);

}  // namespace procpool::detail::worker

#endif
