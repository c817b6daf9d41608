// SPDX-License-Identifier: MIT
// File descriptors that no forked child inherits by accident.
//
// A pipe end that stays open in a stranger hides the death of its owner: EOF never comes. So every
// descriptor of the library is close-on-exec, and is closed in every forked child, whoever forks,
// unless the fork names it as one to keep.
#ifndef PROCPOOL_DETAIL_OS_LINUX_FD_REGISTRY_HPP
#define PROCPOOL_DETAIL_OS_LINUX_FD_REGISTRY_HPP

#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <span>
#include <vector>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fork_stamp.hpp"

namespace procpool::inline v0_1::detail::os {

/// The streams that each process has.
inline constexpr int standard_output = STDOUT_FILENO;
inline constexpr int standard_error = STDERR_FILENO;

/// Threads that the library itself runs in this process.
inline std::atomic<int> library_threads{0};

class fd_registry {
public:
    static fd_registry& instance() {
        // Leaked: descriptors of static objects are still closed while the process exits.
        static fd_registry* const registry = new fd_registry;
        return *registry;
    }

    void add(int value) {
        const std::lock_guard lock(mutex_);
        values_.push_back(value);
    }

    void remove(int value) noexcept {
        const std::lock_guard lock(mutex_);
        const auto at = std::find(values_.begin(), values_.end(), value);
        if (at == values_.end()) return;
        *at = values_.back();
        values_.pop_back();
    }

    /// While this is held no thread can fork: a new descriptor is registered before anybody inherits it.
    std::unique_lock<std::recursive_mutex> hold_forks() { return std::unique_lock(mutex_); }

    /// Which descriptors survive the next fork of this thread.
    void keep_in_next_child(std::span<const int> values) noexcept { kept() = values; }

private:
    fd_registry() {
        if (const int error =
                pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                               [] { instance().close_in_child(); }))
            throw_system_error(error, "pthread_atfork");
    }

    static std::span<const int>& kept() noexcept {
        thread_local std::span<const int> values;
        return values;
    }

    void close_in_child() noexcept {
        fork_generation.fetch_add(1, std::memory_order_relaxed);
        library_threads.store(0, std::memory_order_relaxed);
        const std::span<const int> keep = kept();
        for (const int value : values_)
            if (std::find(keep.begin(), keep.end(), value) == keep.end()) ::close(value);
        values_.clear();
        // Locked by the thread that forked, whose id is another one here: it can't be unlocked.
        new (&mutex_) std::recursive_mutex;
    }

    std::recursive_mutex mutex_;
    std::vector<int> values_;
};

/// Between fork or vfork and exec: of all descriptors but the standard ones, the new program gets `file`
/// alone. Calls nothing that isn't safe there.
inline void inherit_only(int file) noexcept {
    constexpr unsigned first = STDERR_FILENO + 1;
    // They are closed by exec and not at once, since who executes may have one to tell of its failure.
    if (::syscall(SYS_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
        const long most = ::sysconf(_SC_OPEN_MAX);  // a kernel before 5.11
        for (int one = first; one < most; ++one) ::fcntl(one, F_SETFD, FD_CLOEXEC);
    }
    ::fcntl(file, F_SETFD, 0);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
