// SPDX-License-Identifier: MIT
// The CPU time that processes have taken.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_CPU_TIME_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_CPU_TIME_HPP

#include <chrono>
#include <optional>

#include "procpool/detail/os/process_identity.hpp"

namespace procpool::inline v0_1::detail::os {

/// In all threads of this process together.
inline std::chrono::nanoseconds own_cpu_time() noexcept {
    process_times times;
    return read_times(::GetCurrentProcess(), times) ? times.cpu_time() : std::chrono::nanoseconds(0);
}

/// The same of another process; nothing if it is gone.
inline std::optional<std::chrono::nanoseconds> cpu_time_of(long pid) noexcept {
    const fd process = open_process(pid, api::process_query);
    process_times times;
    if (pid <= 0 || !process || !read_times(process.get(), times)) return std::nullopt;
    return times.cpu_time();
}

}  // namespace procpool::inline v0_1::detail::os

#endif
