// SPDX-License-Identifier: MIT
// How the first process of a pool is born.
#ifndef PROCPOOL_START_METHOD_HPP
#define PROCPOOL_START_METHOD_HPP

namespace procpool::inline v0_1 {

/// The start methods of Python's multiprocessing. The last two need freeze_support(argc, argv) in main.
enum class start_method {
    automatic,   ///< forkserver if the program has called freeze_support(), else fork if it has one thread
    fork,        ///< workers are copies of this process as it is when the pool is made
    forkserver,  ///< workers are copies of a fresh start of this program, in which no thread runs
    spawn,       ///< each worker is a fresh start of this program
};

/// Sets how pools start their workers that don't say it themselves, once in a program. Thread-safe.
/// @throws Error if it was set before and `force` is false
void set_start_method(start_method method, bool force = false);

/// What set_start_method() has set; automatic if nothing. Thread-safe.
start_method get_start_method() noexcept;

}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/start_method_impl.hpp"
#endif

#endif
