// SPDX-License-Identifier: MIT
// What a task can ask about the worker that runs it.
#ifndef PROCPOOL_WORKER_HPP
#define PROCPOOL_WORKER_HPP

#include <cstdint>
#include <optional>

namespace procpool {

namespace detail::worker {
/// Who this process is; set once at the birth of a worker, before any task.
struct identity {
    std::optional<std::uint32_t> index;
    std::uint64_t seed = 0;
};
inline identity this_process;
}  // namespace detail::worker

/// The place of this worker in its pool, from 0 to size() - 1; nothing outside of a worker.
/// A worker that replaces a dead one has the same index.
inline std::optional<std::uint32_t> worker_index() noexcept { return detail::worker::this_process.index; }

/// A number that differs in all workers, replacements included, to seed random generators with; without it
/// all workers would begin with the generator state that they were forked with. 0 outside of a worker.
inline std::uint64_t worker_seed() noexcept { return detail::worker::this_process.seed; }

}  // namespace procpool

#endif
