// SPDX-License-Identifier: MIT
// Waits until one of some pipes, or other things that can be waited for, is ready.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_READABLE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_READABLE_HPP

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/windows/watchable.hpp"

namespace procpool::inline v0_1::detail::os {

/// Waits until one of `files` can be read, or is at its end, or `until` has come.
/// @return which of them
inline std::vector<bool> wait_readable(const std::vector<const fd*>& files, steady_time until) {
    const auto port = std::make_shared<completion_port>();
    const struct detach_all {
        const std::vector<const fd*>& files;
        const completion_port& port;
        ~detach_all() {
            for (const fd* const file : files)
                if (file->watched()) file->watched()->detach(port);
        }
    } afterwards{files, *port};
    for (const fd* const file : files)
        if (file->watched()) file->watched()->attach(port);
    std::vector<bool> ready(files.size());
    for (;;) {
        bool some = false;
        for (std::size_t i = 0; i < files.size(); ++i) {
            const auto& what = files[i]->watched();
            const watchable::state now = what ? what->look() : watchable::state{.closed = true};
            ready[i] = now.readable;
            some = some || now.readable || now.closed;
        }
        if (some || std::chrono::steady_clock::now() >= until) break;
        constexpr unsigned long pause = 10;
        port->take(pause);
    }
    return ready;
}
inline bool wait_readable(const fd& file, steady_time until) {
    return wait_readable(std::vector{&file}, until).front();
}

/// What is watched has no number for the system's own calls.
inline int number_of(const fd& /*file*/) noexcept { return -1; }

enum class wait_end { ready, timed_out, failed };
/// Of a stream of this process: who writes to it waits as long as it takes.
inline wait_end wait_writable(int /*stream*/, int /*milliseconds*/) noexcept { return wait_end::ready; }

}  // namespace procpool::inline v0_1::detail::os

#endif
