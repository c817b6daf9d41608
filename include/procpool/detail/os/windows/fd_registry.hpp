// SPDX-License-Identifier: MIT
// The lock of what a whole process has once, and the names of its streams.
//
// No handle of the library can be inherited, and nothing forks: there is nothing to register.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_FD_REGISTRY_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_FD_REGISTRY_HPP

#include <atomic>
#include <mutex>

namespace procpool::inline v0_1::detail::os {

/// The streams that each process has, as the C library numbers them.
inline constexpr int standard_output = 1;
inline constexpr int standard_error = 2;

/// Threads that the library itself runs in this process.
inline std::atomic<int> library_threads{0};

class fd_registry {
public:
    static fd_registry& instance() {
        // Leaked: static objects use it while the process exits.
        static fd_registry* const registry = new fd_registry;
        return *registry;
    }
    /// Guards tables of the process, as where a fork must not copy them half changed.
    std::unique_lock<std::recursive_mutex> hold_forks() { return std::unique_lock(mutex_); }

private:
    std::recursive_mutex mutex_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
