// SPDX-License-Identifier: MIT
// Which process it is, also when its number has gone to another one.
#ifndef PROCPOOL_DETAIL_POSIX_PROCESS_IDENTITY_HPP
#define PROCPOOL_DETAIL_POSIX_PROCESS_IDENTITY_HPP

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "procpool/detail/posix/cgroup.hpp"
#include "procpool/detail/posix/fd.hpp"

namespace procpool::detail::posix {

/// A process id, and when that process was started, in the kernel's ticks.
struct process_identity {
    std::int64_t pid = 0;
    std::uint64_t started = 0;  // 0: there is none of that id, or it has ended

    bool operator==(const process_identity&) const = default;
};

/// What /proc tells of a process.
struct process_state {
    char state = 'X';  // R, S, D, T (stopped), t (in a debugger), Z (zombie); X if there is no such process
    unsigned long long started = 0;  // in the kernel's ticks
};

inline process_state look_at_process(std::int64_t pid) {
    process_state seen;
    for_each_line("/proc/" + std::to_string(pid) + "/stat", [&](const char* line) {
        if (const char* const name_end = std::strrchr(line, ')'))
            std::sscanf(name_end + 1,
                        " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                        &seen.state, &seen.started);
    });
    return seen;
}

/// The living process that has this id now. An ended one may linger as a zombie: that is none.
inline process_identity identify(std::int64_t pid) {
    const process_state seen = look_at_process(pid);
    return {pid, seen.state == 'X' || seen.state == 'Z' ? 0 : seen.started};
}

/// Whether it was stopped, by SIGSTOP or a debugger, and not continued.
inline bool is_stopped(std::int64_t pid) {
    const char state = look_at_process(pid).state;
    return state == 'T' || state == 't';
}

inline bool has_ended(std::int64_t pid) { return identify(pid).started == 0; }

/// This process; looked up once.
inline process_identity own_identity() {
    static std::atomic<unsigned> looked_up_in{0};  // the fork generation, and 1
    static std::atomic<std::uint64_t> started{0};
    const unsigned here = fork_generation.load(std::memory_order_relaxed) + 1;
    if (looked_up_in.load(std::memory_order_acquire) != here) {
        started.store(identify(::getpid()).started, std::memory_order_relaxed);
        looked_up_in.store(here, std::memory_order_release);
    }
    return {::getpid(), started.load(std::memory_order_relaxed)};
}

}  // namespace procpool::detail::posix

#endif
