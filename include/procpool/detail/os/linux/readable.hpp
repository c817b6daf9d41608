// SPDX-License-Identifier: MIT
// Waits for any of a few descriptors, each time other ones; for lasting interest there is poller.hpp.
#ifndef PROCPOOL_DETAIL_OS_LINUX_READABLE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_READABLE_HPP

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/error.hpp"

namespace procpool::detail::os {

/// Waits until one of `files` can be read, or is at its end, or `until` has come.
/// @return which of them
inline std::vector<bool> wait_readable(std::span<const int> files, steady_time until) {
    std::vector<pollfd> watched;
    watched.reserve(files.size());
    for (const int file : files) watched.push_back({file, POLLIN, 0});
    for (;;) {
        int milliseconds = -1;
        if (until != steady_time::max()) {
            const auto now = std::chrono::steady_clock::now();
            // The difference to the clock's first moment would be too large.
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(until, now) - now);
            // An hour at most at once: more may not fit.
            milliseconds = static_cast<int>(std::min<std::int64_t>(left.count(), 3'600'000));
        }
        const int n = ::poll(watched.data(), watched.size(), milliseconds);
        if (n < 0 && errno != EINTR) throw_system_error(errno, "poll");
        if (n > 0 || milliseconds == 0) break;
    }
    std::vector<bool> ready;
    ready.reserve(files.size());
    for (const pollfd& one : watched) ready.push_back(one.revents != 0);
    return ready;
}

inline bool wait_readable(int file, steady_time until) { return wait_readable({&file, 1}, until).front(); }

}  // namespace procpool::detail::os

#endif
