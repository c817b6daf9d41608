// SPDX-License-Identifier: MIT
// Statistics: what the workers of a pool have done so far.
#ifndef PROCPOOL_STATISTICS_HPP
#define PROCPOOL_STATISTICS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "procpool/observer.hpp"

namespace procpool::inline v0_1 {

/// What BasicPool::stats() returns: `std::cout << pool.stats();` prints it as a table.
struct Statistics {
    /// Of one place in the pool, all workers that have held it together.
    struct Worker {
        std::optional<std::size_t> index = {};  ///< nothing if it is the sum of all
        std::uint64_t elements = 0;             ///< that came to an end here, those that failed included
        std::uint64_t failures = 0;             ///< times that one threw
        std::uint64_t flaky = 0;                ///< elements that returned after they had failed before
        std::uint64_t starts = 0;               ///< workers that began to work
        std::uint64_t deaths = 0;  ///< workers that crashed, were killed, or were ended for a limit
        std::chrono::nanoseconds starting{0};      ///< from the pool's wish to the worker's readiness
        std::chrono::nanoseconds initializing{0};  ///< in the initializer
        std::chrono::nanoseconds waiting{0};       ///< ready, without anything to do
        std::chrono::nanoseconds working{0};       ///< in tasks
        /// Arguments, with all that is sent along. Processes only.
        std::uint64_t bytes_sent = 0;
        /// Results. Large ones, which lie in shared memory, count with PoolOptions::statistics only.
        /// Processes only.
        std::uint64_t bytes_received = 0;
        std::uint64_t peak_memory = 0;  ///< bytes, the most that one of its workers had; 0 if it isn't known
    };
    /// One that took long.
    struct Element {
        std::string call = {};      ///< the call's name
        std::uint64_t call_id = 0;  ///< as CallInfo has it
        std::uint64_t index = 0;    ///< in the call's input
        std::uint32_t worker = 0;
        element_outcome outcome = element_outcome::returned;
        std::chrono::nanoseconds run_time{0};
        std::string arguments = {};  ///< as text, as far as they can be printed
    };

    std::chrono::nanoseconds age{0};  ///< since the pool was made
    std::vector<Worker> workers = {};
    /// The five that took longest, the longest first; with PoolOptions::statistics only.
    std::vector<Element> slowest = {};

    /// The sum of all workers; of peak_memory the largest.
    Worker all() const;
};

/// A table of the workers, and a line for each of the slowest elements.
std::ostream& operator<<(std::ostream& to, const Statistics& stats);

}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/statistics_impl.hpp"
#endif

#endif
