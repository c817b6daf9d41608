// SPDX-License-Identifier: MIT
// Grandchildren whose parent was killed.
//
// The kernel gives them to the first process of a container, or to a "subreaper" (prctl(2)). If that is this
// process, each of them stays a zombie until it is waited for here. Elsewhere they are no children of this
// process, and the kernel says so.
#ifndef PROCPOOL_DETAIL_OS_LINUX_ORPHANS_HPP
#define PROCPOOL_DETAIL_OS_LINUX_ORPHANS_HPP

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/process_identity.hpp"

namespace procpool::inline v0_1::detail::os {

/// A process that has a process id, and when that was sure, in the kernel's ticks. Whoever gets the id after
/// it was started later.
struct known_process {
    long pid = 0;
    std::uint64_t known_at = 0;
};

inline known_process known_now(long pid) noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return {pid, static_cast<std::uint64_t>(now.tv_sec) * ticks +
                     static_cast<std::uint64_t>(now.tv_nsec) * ticks / 1'000'000'000};
}

/// Waits for the ends of `dying`, whose parent has ended. What takes longer than a second is waited for in
/// the next call.
inline void reap_orphans(std::span<const known_process> dying) noexcept {
    static std::vector<known_process>* left = nullptr;  // used while forks are held
    const auto is_reaped = [](const known_process& one) {
        // What a damaged page names may be no process id, and another process's if cut off.
        if (one.pid != static_cast<pid_t>(one.pid)) return true;
        siginfo_t end{};
        const auto id = static_cast<id_t>(one.pid);
        if (::waitid(P_PID, id, &end, WEXITED | WNOHANG | WNOWAIT) != 0)
            return true;  // no child of this process
        try {
            if (read_process_state(one.pid).started > one.known_at) return true;  // the program's own
        } catch (const std::bad_alloc&) {
            return true;
        }
        return end.si_pid != 0 && ::waitid(P_PID, id, &end, WEXITED | WNOHANG) == 0;
    };
    const auto no_fork = fd_registry::instance().hold_forks();
    try {
        if (!left) left = new std::vector<known_process>;
        left->insert(left->end(), dying.begin(), dying.end());
    } catch (const std::bad_alloc&) {  // then they stay
        if (!left) return;
    }
    for (const steady_time until = deadline_in(std::chrono::seconds(1));; ::usleep(1000)) {
        std::erase_if(*left, is_reaped);
        if (left->empty() || std::chrono::steady_clock::now() >= until) return;
    }
}

}  // namespace procpool::inline v0_1::detail::os

#endif
