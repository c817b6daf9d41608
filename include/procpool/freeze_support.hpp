// SPDX-License-Identifier: MIT
// freeze_support(): lets pools start their workers as fresh runs of this program.
//
// For the file with main. It includes Boost.Process, which takes two seconds to compile. Define
// PROCPOOL_SEPARATE_LAUNCHER if it shall not, and include <procpool/launcher.hpp> in a file of its own.
#ifndef PROCPOOL_FREEZE_SUPPORT_HPP
#define PROCPOOL_FREEZE_SUPPORT_HPP

#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/program_start.hpp"
#include "procpool/detail/worker/fresh_process.hpp"
#include "procpool/detail/zygote/exec.hpp"
#ifndef PROCPOOL_SEPARATE_LAUNCHER
#include "procpool/launcher.hpp"
#endif

namespace procpool {

/// To be called first in main: allows start_method::forkserver and spawn, and makes forkserver the default.
///
/// In a process that a pool has started to be a worker it never returns, where it is reached at all: with the
/// GNU C library such a process doesn't even begin main. In all others it returns at once. It leaves the
/// arguments alone. Not for use in several threads.
inline void freeze_support(int argc, const char* const* argv) {
    if (argc > 0) detail::zygote::fresh_run().arguments.assign(1, argv[0]);
    detail::zygote::launcher = &detail::zygote::launch_fresh_run;
    if (const auto socket = detail::zygote::birth_socket(argc, argv))
        detail::worker::live_fresh_process(*socket);
}

#ifdef __GLIBC__
namespace detail {
/// A main that doesn't call freeze_support(), or only under some condition, would do the program's work
/// again.
inline void keep_fresh_processes_from_main(int argc, char** argv, char** environment) {
    if (os::started_anew || !zygote::birth_socket(argc, argv)) return;
    os::started_anew = true;  // so that the other files' entries for this do nothing
    if (os::run_initial_functions_after(&keep_fresh_processes_from_main, argc, argv, environment))
        os::live_instead_of_main([&] { freeze_support(argc, argv); });
    os::started_anew = false;
}
/// An entry of its own, since those for [[gnu::constructor]] are merged by link-time optimisation.
[[gnu::used, gnu::section(".init_array")]] static os::initial_function before_main =
    &keep_fresh_processes_from_main;
}  // namespace detail
#endif

}  // namespace procpool

#endif
