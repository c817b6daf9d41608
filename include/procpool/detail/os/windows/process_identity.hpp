// SPDX-License-Identifier: MIT
// Which process it is, also when its number has gone to another one.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PROCESS_IDENTITY_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PROCESS_IDENTITY_HPP

#include <chrono>
#include <cstdint>
#include <string>

#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/process.hpp"

namespace procpool::inline v0_1::detail::os {

/// A process id, and when that process was started, in the system's ticks.
struct process_identity {
    std::int64_t pid = 0;
    std::uint64_t started = 0;  // 0: there is none of that id, or it has ended
    bool operator==(const process_identity&) const = default;
};

/// What the system tells of a process's times.
struct process_times {
    api::file_time started, ended, kernel, user;
    std::chrono::nanoseconds cpu_time() const noexcept {
        return std::chrono::nanoseconds(100 * static_cast<std::int64_t>(kernel.value() + user.value()));
    }
};
inline bool read_times(void* process, process_times& times) noexcept {
    return ::GetProcessTimes(process, api::as<_FILETIME>(&times.started), api::as<_FILETIME>(&times.ended),
                             api::as<_FILETIME>(&times.kernel), api::as<_FILETIME>(&times.user)) != 0;
}

/// What the main thread of a process does, and has done.
struct main_thread_state {
    bool stopped = false;  // nobody tells
    bool waits = false;    // for a CPU: nobody tells
    std::chrono::nanoseconds cpu_time{0};
};
inline main_thread_state read_main_thread_state(std::int64_t pid) {
    const fd process = open_process(static_cast<long>(pid), api::process_query);
    process_times times;
    if (!process || !read_times(process.get(), times)) return {};
    // What isn't known counts as a wait, which is forgiven for long.
    return {false, true, times.cpu_time()};
}

/// The living process that has this id now.
inline process_identity identify(std::int64_t pid) {
    const fd process = open_process(static_cast<long>(pid), api::process_query | api::process_synchronize);
    process_times times;
    if (!process || ::WaitForSingleObject(process.get(), 0) == api::wait_object ||
        !read_times(process.get(), times))
        return {pid, 0};
    return {pid, times.started.value() | 1};
}

inline bool has_ended(std::int64_t pid) { return identify(pid).started == 0; }
/// Whether it has ended or is on its way, which closes its handles a moment earlier: that is waited for.
inline bool is_ending(std::int64_t pid) {
    const fd process = open_process(static_cast<long>(pid), api::process_synchronize);
    constexpr unsigned long a_moment = 200;
    return !process || ::WaitForSingleObject(process.get(), a_moment) == api::wait_object;
}

/// This process.
inline process_identity own_identity() {
    static const process_identity own = identify(current_pid());
    return own;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
