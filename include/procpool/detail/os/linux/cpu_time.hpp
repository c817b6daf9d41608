// SPDX-License-Identifier: MIT
// The CPU time that processes have taken.
#ifndef PROCPOOL_DETAIL_OS_LINUX_CPU_TIME_HPP
#define PROCPOOL_DETAIL_OS_LINUX_CPU_TIME_HPP

#include <sys/types.h>
#include <time.h>

#include <chrono>
#include <optional>

namespace procpool::inline v0_1::detail::os {

/// In all threads of this process together.
inline std::chrono::nanoseconds own_cpu_time() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// The same of another process; nothing if it is gone.
inline std::optional<std::chrono::nanoseconds> cpu_time_of(long pid) noexcept {
    clockid_t clock{};
    timespec time{};
    if (pid <= 0 || ::clock_getcpuclockid(static_cast<pid_t>(pid), &clock) != 0 ||
        ::clock_gettime(clock, &time) != 0)
        return std::nullopt;
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
