// SPDX-License-Identifier: MIT
// Which process it is, also when its number has gone to another one.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PROCESS_IDENTITY_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PROCESS_IDENTITY_HPP

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "procpool/detail/os/cgroup.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fork_stamp.hpp"

namespace procpool::inline v0_1::detail::os {

/// A process id, and when that process was started, in the kernel's ticks.
struct process_identity {
    std::int64_t pid = 0;
    std::uint64_t started = 0;  // 0: there is none of that id, or it has ended

    bool operator==(const process_identity&) const = default;
};

/// What /proc tells of a process or a thread.
struct process_state {
    char state = 'X';  // R, S, D, T (stopped), t (in a debugger), Z (zombie); X if there is no such process
    long parent = 0;
    unsigned long flags = 0;  // the kernel's PF_...
    // In the kernel's ticks.
    unsigned long long user_time = 0;
    unsigned long long system_time = 0;
    unsigned long long started = 0;
};

inline process_state read_stat(const std::string& file) {
    process_state seen;
    for_each_line(file, [&](const char* line) {
        if (const char* const name_end = std::strrchr(line, ')'))
            std::sscanf(name_end + 1,
                        " %c %ld %*s %*s %*s %*s %lu %*s %*s %*s %*s %llu %llu %*s %*s %*s %*s %*s %*s %llu",
                        &seen.state, &seen.parent, &seen.flags, &seen.user_time, &seen.system_time,
                        &seen.started);
    });
    return seen;
}
inline process_state read_process_state(std::int64_t pid) {
    return read_stat("/proc/" + std::to_string(pid) + "/stat");
}

/// What the main thread of a process does, and has done.
struct main_thread_state {
    bool stopped = false;  // by a signal, or in a debugger
    bool waits = false;    // for a CPU, or a page; or it runs
    std::chrono::nanoseconds cpu_time{0};
};
inline main_thread_state read_main_thread_state(std::int64_t pid) {
    const std::string id = std::to_string(pid);
    const process_state seen = read_stat("/proc/" + id + "/task/" + id + "/stat");
    const std::chrono::nanoseconds tick{1'000'000'000 / ::sysconf(_SC_CLK_TCK)};
    return {seen.state == 'T' || seen.state == 't', seen.state == 'R' || seen.state == 'D',
            tick * static_cast<std::int64_t>(seen.user_time + seen.system_time)};
}

/// The living process that has this id now. An ended one may linger as a zombie: that is none.
inline process_identity identify(std::int64_t pid) {
    const process_state seen = read_process_state(pid);
    return {pid, seen.state == 'X' || seen.state == 'Z' ? 0 : seen.started};
}

/// Whether it was stopped, by SIGSTOP or a debugger, and not continued.
inline bool is_stopped(std::int64_t pid) {
    const char state = read_process_state(pid).state;
    return state == 'T' || state == 't';
}

inline bool has_ended(std::int64_t pid) { return identify(pid).started == 0; }

/// Whether it has ended or is on its way, which closes its descriptors a moment earlier.
inline bool is_ending(std::int64_t pid) {
    constexpr unsigned long exiting = 4;  // PF_EXITING
    const process_state seen = read_process_state(pid);
    return seen.state == 'X' || seen.state == 'Z' || (seen.flags & exiting) != 0;
}

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

}  // namespace procpool::inline v0_1::detail::os

#endif
