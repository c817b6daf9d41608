// SPDX-License-Identifier: MIT
// Waits until one of some pipes, or other things that can be waited for, is ready.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_READABLE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_READABLE_HPP

#include <chrono>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/windows/watchable.hpp"

namespace procpool::inline v0_1::detail::os {

/// Waits until `file` can be read, or is at its end, or `until` has come.
inline bool wait_readable(const fd& file, steady_time until) {
    if (!file.watched()) return false;
    const auto port = std::make_shared<completion_port>();
    file.watched()->attach(port);
    for (;;) {
        const watchable::state now = file.watched()->look();
        if (now.readable || now.closed) break;
        if (std::chrono::steady_clock::now() >= until) break;
        constexpr unsigned long pause = 10;
        port->take(pause);
    }
    const bool ready = file.watched()->look().readable;
    file.watched()->detach(*port);
    return ready;
}

enum class wait_end { ready, timed_out, failed };
/// Of a stream of this process: who writes to it waits as long as it takes.
inline wait_end wait_writable(int /*stream*/, int /*milliseconds*/) noexcept { return wait_end::ready; }

}  // namespace procpool::inline v0_1::detail::os

#endif
