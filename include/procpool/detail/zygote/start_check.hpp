// SPDX-License-Identifier: MIT
// Which start method a pool can and should use.
#ifndef PROCPOOL_DETAIL_ZYGOTE_START_CHECK_HPP
#define PROCPOOL_DETAIL_ZYGOTE_START_CHECK_HPP

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cpu.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/zygote/exec.hpp"
#include "procpool/error.hpp"
#include "procpool/start_method.hpp"

namespace procpool::inline v0_1::detail::zygote {

#if defined(__SANITIZE_THREAD__)
inline constexpr int runtime_threads = 1;  // the sanitizer's own
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr int runtime_threads = 1;
#else
inline constexpr int runtime_threads = 0;
#endif
#else
inline constexpr int runtime_threads = 0;
#endif

/// Threads of the program besides the calling one and the library's own.
template <class = only_if_used>
int foreign_threads() {
    const auto count = [] {
        return os::thread_count() - 1 - runtime_threads - os::library_threads.load(std::memory_order_relaxed);
    };
    // The kernel lists a thread for a moment after it was joined.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    int foreign = count();
    while (foreign > 0 && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
        foreign = count();
    }
    return foreign;
}

/// Whether the user leaves it to the library how workers are started.
inline bool is_left_open(start_method wanted) noexcept {
    return wanted == start_method::automatic && get_start_method() == start_method::automatic;
}

/// For a pool whose zygote was killed, and whose start method was left open: no fork beside threads that may
/// hold locks. `in_own_thread` says that this thread is the library's.
/// @throws BootstrapError
template <class = only_if_used>
void require_no_threads_to_replace_zygote(bool in_own_thread) {
    if (!in_own_thread && foreign_threads() == 0) return;
    throw BootstrapError(
        std::string("procpool: the process that this pool's workers come from was killed, and another would "
                    "have to be forked ") +
        (in_own_thread ? "while the program does something else than to wait for the pool"
                       : "beside other threads of the program") +
        ", which would copy locks that are held, locked for ever; call procpool::freeze_support(argc, argv) "
        "first in main, so that workers start anew, or, if tasks need no such locks, ask for "
        "start_method::fork");
}

/// How to start workers, if `wanted` is what the user asked for: never automatic.
/// @throws BootstrapError if workers can't be started in that way
template <class = only_if_used>
start_method checked_start_method(start_method wanted) {
    if (wanted == start_method::automatic) wanted = get_start_method();
    const bool can_execute = launcher.load() != nullptr;
    // Or else it would go on, and do all that the program does a second time.
    static std::atomic<bool> looked_up = false;  // which takes longer than all the rest
    if (!can_execute && !os::started_anew && !looked_up.load()) {
        if (birth_socket()) end_without_freeze_support();
        looked_up.store(true);
    }
    if ((wanted == start_method::forkserver || wanted == start_method::spawn) && !can_execute)
        throw BootstrapError(
            "procpool: with start_method::forkserver and spawn, workers are fresh runs of this program; "
            "include <procpool/freeze_support.hpp> and call procpool::freeze_support(argc, argv) first in "
            "main (in a library: procpool::set_executable()), or use start_method::fork");
    if (wanted == start_method::fork) return wanted;
    const bool would_refuse = can_execute && fresh_runs_change_rights();
    if (would_refuse && (wanted != start_method::automatic || foreign_threads() > 0))
        throw BootstrapError(
            "procpool: a fresh run of this program would have other rights than its parent (the program is "
            "set-user-id or set-group-id, or has capabilities, or acts as another user), and refuses to be "
            "its worker; use start_method::fork, before there are other threads");
    if (wanted != start_method::automatic) return wanted;
    if (can_execute && !would_refuse) return start_method::forkserver;
    if (const int foreign = foreign_threads(); foreign > 0)
        throw BootstrapError(
            "procpool: this program runs " + std::to_string(foreign) +
            " other thread(s), and a fork would copy locks that they hold, locked for ever; call "
            "procpool::freeze_support(argc, argv) first in main, so that workers start anew, or make the "
            "pool before the threads, or, if they hold no lock that tasks need, ask for start_method::fork");
    return start_method::fork;
}

/// Why nothing comes from a zygote that ended before it could do anything, for messages.
template <class = only_if_used>
std::string end_of_zygote(start_method how_started, const os::exit_status& how) {
    if (how_started == start_method::fork)
        return "the process that should have forked it ended with " + os::describe(how);
    return "a fresh run of this program ended with " + os::describe(how) +
           " before it called procpool::freeze_support(argc, argv); call that first in main, "
           "whatever the arguments are";
}

}  // namespace procpool::inline v0_1::detail::zygote

#endif
