// SPDX-License-Identifier: MIT
// Moments of the steady clock as the kernel takes them.
#ifndef PROCPOOL_DETAIL_OS_LINUX_TIMESPEC_HPP
#define PROCPOOL_DETAIL_OS_LINUX_TIMESPEC_HPP

#include <time.h>

#include <chrono>
#include <type_traits>

#include "procpool/detail/clock.hpp"

namespace procpool::inline v0_1::detail::os {

static_assert(std::is_same_v<steady_time::duration, std::chrono::nanoseconds>);

/// The same moment of CLOCK_MONOTONIC.
inline timespec to_timespec(steady_time when) noexcept {
    const auto since_start = when.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_start);
    return {seconds.count(), (since_start - seconds).count()};
}

}  // namespace procpool::inline v0_1::detail::os

#endif
