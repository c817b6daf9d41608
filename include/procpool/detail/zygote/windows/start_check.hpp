// SPDX-License-Identifier: MIT
// Which start method a pool can use: fresh runs of the program.
#ifndef PROCPOOL_DETAIL_ZYGOTE_WINDOWS_START_CHECK_HPP
#define PROCPOOL_DETAIL_ZYGOTE_WINDOWS_START_CHECK_HPP

#include <string>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/zygote/windows/exec.hpp"
#include "procpool/error.hpp"
#include "procpool/start_method.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// Whether the user leaves it to the library how workers are started.
inline bool is_left_open(start_method wanted) noexcept {
    return wanted == start_method::automatic && get_start_method() == start_method::automatic;
}

inline void require_no_threads_to_replace_zygote(bool /*in_own_thread*/) noexcept {}

/// How to start workers, if `wanted` is what the user asked for.
/// @throws BootstrapError if workers can't be started in that way
template <class = only_if_used>
start_method checked_start_method(start_method wanted) {
    if (wanted == start_method::automatic) wanted = get_start_method();
    if (wanted == start_method::fork || wanted == start_method::forkserver)
        throw BootstrapError(
            std::string("procpool: there is no start_method::")
                .append(wanted == start_method::fork ? "fork" : "forkserver")
                .append(" on Windows, which can't copy a process; leave the start method out, "
                        "or use start_method::spawn"));
    if (supports_fresh_runs.load()) return start_method::spawn;
    // Or else it would go on, and do all that the program does a second time.
    if (!os::started_anew && birth_name()) end_without_freeze_support();
    throw BootstrapError(
        "procpool: workers are fresh runs of this program; include <procpool/freeze_support.hpp> and call "
        "procpool::freeze_support(argc, argv) first in main");
}

/// Why nothing comes from a worker that ended before it could do anything, for messages.
template <class = only_if_used>
std::string end_of_zygote(start_method /*how_started*/, const os::exit_status& how) {
    return "a fresh run of this program ended with " + os::describe(how) +
           " before it called procpool::freeze_support(argc, argv); call that first in main, "
           "whatever the arguments are";
}

}  // namespace procpool::inline v0_1::detail::zygote

#endif
