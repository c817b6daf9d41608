// SPDX-License-Identifier: MIT
// freeze_support(): lets pools start their workers as fresh runs of this program.
//
// For the file with main. It includes Boost.Process, which takes two seconds to compile, unless the engine is
// compiled apart (see src.hpp). Or define PROCPOOL_SEPARATE_LAUNCHER if it shall not, and include
// <procpool/launcher.hpp> in a file of its own.
#ifndef PROCPOOL_FREEZE_SUPPORT_HPP
#define PROCPOOL_FREEZE_SUPPORT_HPP

#include "procpool/detail/worker/fresh_run.hpp"

namespace procpool::inline v0_1 {

/// To be called first in main: allows start_method::forkserver and spawn, and makes forkserver the default.
///
/// In a process that a pool has started to be a worker it never returns, where it is reached at all: with the
/// GNU C library such a process doesn't even begin main. With PROCPOOL_REPLAY in the environment it runs
/// one element and ends the program, see PoolOptions::bundles. In all others it returns at once. It leaves the
/// arguments alone. Not for use in several threads.
inline void freeze_support(int argc, const char* const* argv) {
    detail::worker::support_fresh_runs(argc, argv);
}

#ifdef __GLIBC__
namespace detail {
/// An entry of its own, since those for [[gnu::constructor]] are merged by link-time optimisation.
[[gnu::used,
  gnu::section(".init_array")]] static void (*before_main)(int, char**,
                                                           char**) = &worker::keep_fresh_runs_from_main<>;
}  // namespace detail
#endif

}  // namespace procpool::inline v0_1

#endif
