// SPDX-License-Identifier: MIT
// What can be asked about a pool.
#ifndef PROCPOOL_POOL_STATUS_HPP
#define PROCPOOL_POOL_STATUS_HPP

#include <any>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

namespace procpool::inline v0_1 {

struct Statistics;

/// Where a pool is in its life.
enum class pool_state {
    running,     ///< it takes calls
    closed,      ///< it takes no more; those at hand go on, or are done
    terminated,  ///< its work was ended by terminate()
    failed       ///< it can't go on; calls get its error(), or PoolNotRunning once it was closed
};

/// What a worker process of a pool did a moment ago.
struct WorkerStatus {
    /// Its place in the pool, as worker_index() tells it.
    std::size_t index = 0;
    /// Its process id; 0 if there is none, or not yet. It may have ended meanwhile.
    long pid = 0;

    /// One element, or the initializer.
    struct Running {
        /// Position of the element in its call's input; nothing for the initializer.
        std::optional<std::uint64_t> index = {};
        /// The arguments, as far as they can be printed: `f("a.jpg", 3)`, as WorkerDied::what() has them.
        std::string call = {};
        /// Since it began, about.
        std::chrono::nanoseconds run_time{0};
    };
    /// What it runs; nothing if it has nothing to do.
    std::optional<Running> running = {};
};

/// What came of PoolOptions::finalizer in one worker.
struct FinalizerResult {
    /// The worker's place in the pool, as worker_index() tells it.
    std::size_t worker = 0;
    /// Its process id; 0 for a thread.
    long pid = 0;
    /// What the finalizer returned; empty if it returns nothing, or has failed.
    std::any value = {};
    /// That as text, as far as it can be printed.
    std::string text = {};
    /// What it has thrown; WorkerDied if its worker died in it, TaskTimeout if it took too long.
    std::exception_ptr error = {};
};

}  // namespace procpool::inline v0_1

#endif
