// SPDX-License-Identifier: MIT
// Whether this process can be forked safely.
#ifndef PROCPOOL_DETAIL_BACKEND_FORK_CHECK_HPP
#define PROCPOOL_DETAIL_BACKEND_FORK_CHECK_HPP

#include <chrono>
#include <string>
#include <thread>

#include "procpool/detail/posix/cpu.hpp"
#include "procpool/detail/posix/fd.hpp"
#include "procpool/error.hpp"
#include "procpool/start_method.hpp"

namespace procpool::detail::backend {

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
inline int foreign_threads() {
    const auto count = [] {
        return posix::thread_count() - 1 - runtime_threads -
               posix::library_threads.load(std::memory_order_relaxed);
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

/// @throws BootstrapError if workers can't be started in this way
inline void check_start_method(start_method method) {
    if (method == start_method::forkserver || method == start_method::spawn)
        throw BootstrapError(
            "procpool: forkserver and spawn need freeze_support(argc, argv) at the top of main, "
            "which this version does not have yet; use start_method::fork");
    if (method == start_method::fork) return;
    if (const int foreign = foreign_threads(); foreign > 0)
        throw BootstrapError(
            "procpool: this program runs " + std::to_string(foreign) +
            " other thread(s), and a fork would copy locks that they hold, locked for ever; make the pool "
            "before "
            "the threads, or, if they hold no lock that tasks need, ask for start_method::fork");
}

}  // namespace procpool::detail::backend

#endif
