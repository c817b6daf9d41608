// SPDX-License-Identifier: MIT
// Process ids as users get them.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PID_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PID_HPP

#include <cstdint>

namespace procpool::inline v0_1::detail::os {

/// Of a number that was wide enough for those of any system.
inline long to_pid(std::int64_t pid) noexcept { return static_cast<long>(pid); }

}  // namespace procpool::inline v0_1::detail::os

#endif
