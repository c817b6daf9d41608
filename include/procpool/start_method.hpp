// SPDX-License-Identifier: MIT
// How the first process of a pool is born.
#ifndef PROCPOOL_START_METHOD_HPP
#define PROCPOOL_START_METHOD_HPP

#include <atomic>

#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

/// The start methods of Python's multiprocessing. The last two need freeze_support(argc, argv) in main.
enum class start_method {
    automatic,   ///< forkserver if the program has called freeze_support(), else fork if it has one thread
    fork,        ///< workers are copies of this process as it is when the pool is made
    forkserver,  ///< workers are copies of a fresh start of this program, in which no thread runs
    spawn,       ///< each worker is a fresh start of this program
};

namespace detail {
inline std::atomic<start_method> default_start_method{start_method::automatic};
}  // namespace detail

/// Sets how pools start their workers that don't say it themselves, once in a program. Thread-safe.
/// @throws Error if it was set before and `force` is false
inline void set_start_method(start_method method, bool force = false) {
    start_method before = start_method::automatic;
    if (force)
        detail::default_start_method.store(method);
    else if (!detail::default_start_method.compare_exchange_strong(before, method))
        throw Error("procpool: the start method has already been set");
}

/// What set_start_method() has set; automatic if nothing. Thread-safe.
inline start_method get_start_method() noexcept { return detail::default_start_method.load(); }

}  // namespace procpool::inline v0_1

#endif
