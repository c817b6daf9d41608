// SPDX-License-Identifier: MIT
// What a worker shares with its pool, so that its death leaves no question open.
#ifndef PROCPOOL_DETAIL_WORKER_BLACK_BOX_HPP
#define PROCPOOL_DETAIL_WORKER_BLACK_BOX_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "procpool/detail/os/crash_record.hpp"
#include "procpool/detail/os/futex.hpp"
#include "procpool/detail/wire/activity.hpp"
#include "procpool/detail/wire/element_times.hpp"

namespace procpool::inline v0_1::detail::worker {

/// Where in its arena a worker puts results, and how many bytes of that may be memory at a time.
struct arena_room {
    std::uint64_t first = 0;
    std::uint64_t size = 0;  // 0 if there is no arena
    std::uint64_t limit = 0;
};

/// Written by the worker, read by the pool, unless it says otherwise. Everything starts at 0 with each new
/// worker of a slot.
struct black_box {
    wire::activity told;  // of its elements

    // The outbox holds the piece [base, committed) of the stream of bytes that goes into the result pipe.
    // What the pool has not received when the worker dies, it takes from there.
    alignas(64) std::atomic<std::uint64_t> base{0};
    std::atomic<std::uint64_t> committed{0};
    /// Where the frame starts that is still being filled (its header lacks the length).
    std::atomic<std::uint64_t> open_frame{no_frame};
    /// Where the last frame ends that was too large for the outbox and went directly into the pipe.
    std::atomic<std::uint64_t> large_end{0};

    /// Whether its preload has failed. Why that is stands where the outbox is.
    std::atomic<std::uint32_t> preload_failed{0};
    /// Bytes of memory that its results' arena has taken.
    std::atomic<std::uint64_t> arena_bytes{0};
    /// Written by the pool: results that it has received, so that what they refer to may go.
    alignas(64) std::atomic<std::uint64_t> received{0};
    /// Written by both: large parts of results that the program has kept and needs no more.
    std::atomic<std::uint64_t> returned{0};
    /// Written by the pool before the worker starts.
    arena_room room;

    /// Written by the pool: which element is to stop, its number and 1 (the lower half); 0 if none is.
    os::futex_word stop_asked{0};

    /// The last of the calls on its stack, if it crashed or has exceeded a limit.
    os::crash_record crash;

    static constexpr std::uint64_t no_frame = ~std::uint64_t{0};
};

/// Each slot's piece of the pool's shared memory: its black box, its outbox, and the times of elements that
/// somebody observes. All are touched, and so take memory, only as far as they are used.
inline constexpr std::size_t outbox_offset = 1024;
inline constexpr std::size_t times_offset = 128 * 1024;
inline constexpr std::size_t outbox_capacity = times_offset - outbox_offset;
inline constexpr std::size_t longest_preload_problem = 1024;
inline constexpr std::size_t slot_memory = times_offset + sizeof(wire::element_times);
static_assert(sizeof(black_box) <= outbox_offset);
static_assert(slot_memory % 4096 == 0);  // whole pages
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // of classes with private members, which compilers allow
static_assert(offsetof(black_box, told) == 0 &&
              offsetof(wire::activity, pid) == 0);  // see zygote::birth_record
#pragma GCC diagnostic pop

}  // namespace procpool::inline v0_1::detail::worker

#endif
