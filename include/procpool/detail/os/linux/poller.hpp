// SPDX-License-Identifier: MIT
// Waits for any of several descriptors; each is watched under a number of the caller's.
#ifndef PROCPOOL_DETAIL_OS_LINUX_POLLER_HPP
#define PROCPOOL_DETAIL_OS_LINUX_POLLER_HPP

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <span>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/timespec.hpp"

namespace procpool::inline v0_1::detail::os {

class poller {
public:
    enum class interest : std::uint32_t {
        read = EPOLLIN,
        write = EPOLLOUT,
        read_once_per_arrival = EPOLLIN | EPOLLET,
        end_once = EPOLLET,  // of a pipe that nobody can write to any more
    };

    struct ready {
        std::uint64_t key;
        bool readable;  // data, end of file, or an error that a read will tell
        bool writable;
    };

    poller() {
        const auto no_fork = fd_registry::instance().hold_forks();
        file_ = fd(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    }

    /// To be called before the first write to what is added later.
    void prepare(const fd& /*file*/) noexcept {}
    void add(const fd& file, interest what, std::uint64_t key) { control(EPOLL_CTL_ADD, file, what, key); }

    void remove(const fd& file) noexcept {
        // A failure means that it isn't watched, which is what was asked for.
        if (file) ::epoll_ctl(file_.get(), EPOLL_CTL_DEL, file.get(), nullptr);
    }

    /// Blocks until something is ready, `until` has come, or for some seconds, whatever is first; what is
    /// ready stays valid until the next call.
    std::span<const ready> wait(steady_time until) { return wait_for(milliseconds_to(until)); }
    /// The same to the microsecond.
    std::span<const ready> wait_precisely(steady_time until) {
        constexpr std::chrono::nanoseconds most = std::chrono::seconds(2), none{0};
        const timespec left =
            to_timespec(steady_time(std::clamp(until - std::chrono::steady_clock::now(), none, most)));
        return came(
            ::epoll_pwait2(file_.get(), events_.data(), static_cast<int>(events_.size()), &left, nullptr));
    }
    /// What is ready now.
    std::span<const ready> poll() { return wait_for(0); }

private:
    std::span<const ready> wait_for(int milliseconds) {
        return came(
            ::epoll_wait(file_.get(), events_.data(), static_cast<int>(events_.size()), milliseconds));
    }
    std::span<const ready> came(int n) {
        if (n < 0 && errno != EINTR) throw_system_error(errno, "epoll_wait");
        const std::size_t count = n < 0 ? 0 : static_cast<std::size_t>(n);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t bits = events_[i].events;
            ready_[i] = {events_[i].data.u64, (bits & ~std::uint32_t{EPOLLOUT}) != 0, (bits & EPOLLOUT) != 0};
        }
        return {ready_.data(), count};
    }

    void control(int operation, const fd& file, interest what, std::uint64_t key) {
        epoll_event event{};
        event.events = static_cast<std::uint32_t>(what);
        event.data.u64 = key;
        checked(::epoll_ctl(file_.get(), operation, file.get(), &event), "epoll_ctl");
    }

    /// Not for ever: nothing wakes who sleeps while somebody closes all descriptors of the program.
    static int milliseconds_to(steady_time until) {
        constexpr std::chrono::milliseconds most{2000};
        const auto now = std::chrono::steady_clock::now();
        if (until >= now + most) return static_cast<int>(most.count());
        return until <= now
                   ? 0
                   : static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(until - now).count());
    }

    fd file_;
    std::array<epoll_event, 64> events_;
    std::array<ready, 64> ready_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
