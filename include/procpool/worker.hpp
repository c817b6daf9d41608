// SPDX-License-Identifier: MIT
// What a task can ask about the worker that runs it.
#ifndef PROCPOOL_WORKER_HPP
#define PROCPOOL_WORKER_HPP

#include <cstdint>
#include <optional>

namespace procpool::inline v0_1 {

namespace detail::worker {
/// Who a worker is; that of a process is set once at its birth, before any task.
struct identity {
    std::optional<std::uint32_t> index;
    std::uint64_t seed = 0;
    std::uint64_t pool_seed = 0;  // of a thread's pool
};
inline identity this_process;
/// Of the thread of a pool; others have none.
inline thread_local const identity* this_thread = nullptr;

/// Odd multiples of a constant differ for all serials; the process id makes pools differ, too.
inline std::uint64_t seed_of(std::uint64_t serial, long pid) noexcept {
    return (serial + 1) * 0x9E3779B97F4A7C15u ^ static_cast<std::uint64_t>(pid) << 32;
}

inline const identity& current() noexcept { return this_thread ? *this_thread : this_process; }
}  // namespace detail::worker

/// The place of this worker in its pool, from 0 to size() - 1; nothing outside of a worker.
/// A worker that replaces a dead one has the same index.
inline std::optional<std::uint32_t> worker_index() noexcept { return detail::worker::current().index; }

/// A number that differs in all workers, replacements included, to seed random generators with; without it
/// all workers would begin with the generator state that they were forked with. 0 outside of a worker.
inline std::uint64_t worker_seed() noexcept { return detail::worker::current().seed; }

}  // namespace procpool::inline v0_1

#endif
