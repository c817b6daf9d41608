// SPDX-License-Identifier: MIT
// Waits for any of several descriptors, each time other ones; for lasting interest there is poller.hpp.
#ifndef PROCPOOL_DETAIL_OS_LINUX_WATCH_LIST_HPP
#define PROCPOOL_DETAIL_OS_LINUX_WATCH_LIST_HPP

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/error.hpp"

namespace procpool::inline v0_1::detail::os {

/// What has ended a wait; `errno` says how it has failed.
enum class wait_end { ready, timed_out, failed };

/// Descriptors by their places in the list.
class watch_list {
public:
    enum class interest : short { read = POLLIN, write = POLLOUT, both = POLLIN | POLLOUT };

    void reserve(std::size_t files) { files_.reserve(files); }
    void clear() noexcept { files_.clear(); }
    /// A negative number is never ready.
    void add(int file, interest what) { files_.push_back({file, static_cast<short>(what), 0}); }

    /// Waits until one of them is ready, for so long at most, or for ever if that is -1.
    wait_end wait_for(int milliseconds) noexcept {
        const int n = retry_on_eintr([&] { return ::poll(files_.data(), files_.size(), milliseconds); });
        return n > 0 ? wait_end::ready : n == 0 ? wait_end::timed_out : wait_end::failed;
    }
    wait_end wait_until(steady_time until) noexcept {
        for (;;) {
            const int milliseconds = milliseconds_to(until);
            const int n = ::poll(files_.data(), files_.size(), milliseconds);
            if (n > 0) return wait_end::ready;
            if (n < 0 && errno != EINTR) return wait_end::failed;
            if (n == 0 && milliseconds == 0) return wait_end::timed_out;
        }
    }

    /// After a wait: of any kind.
    bool is_ready(std::size_t at) const noexcept { return files_[at].revents != 0; }
    /// Data, end of file, or an error that a read will tell.
    bool readable(std::size_t at) const noexcept { return (files_[at].revents & ~POLLOUT) != 0; }
    bool writable(std::size_t at) const noexcept { return (files_[at].revents & POLLOUT) != 0; }

private:
    static int milliseconds_to(steady_time until) noexcept {
        if (until == steady_time::max()) return -1;
        const auto now = std::chrono::steady_clock::now();
        // The difference to the clock's first moment would be too large.
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(until, now) - now);
        // An hour at most at once: more may not fit.
        return static_cast<int>(std::min<std::int64_t>(left.count(), 3'600'000));
    }

    std::vector<pollfd> files_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
