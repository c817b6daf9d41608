// SPDX-License-Identifier: MIT
// A child process of this one: its end, and signals that reach it and nobody else.
#ifndef PROCPOOL_DETAIL_OS_LINUX_CHILD_HPP
#define PROCPOOL_DETAIL_OS_LINUX_CHILD_HPP

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <new>
#include <thread>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/process_identity.hpp"

namespace procpool::inline v0_1::detail::os {

/// A descriptor that stands for the process that has this id now, and is readable when that has ended. None
/// if there is no such process, no descriptor left, or if the kernel is older than 5.3.
inline fd open_process(long pid) noexcept {
    constexpr long pidfd_open = 434;  // on all machines; older headers lack it
    try {
        const auto no_fork = fd_registry::instance().hold_forks();
        return fd(static_cast<int>(::syscall(pidfd_open, pid, 0)));
    } catch (...) {
        return {};
    }
}

/// Sends `signal` to the process that `process` stands for, or to `pid` if there is no such descriptor. One
/// that has ended is no error. False if this process may not.
[[nodiscard]] inline bool send_signal(const fd& process, long pid, int signal) noexcept {
    constexpr long pidfd_send_signal = 424;
    if (!process) return send_signal(pid, signal);
    return ::syscall(pidfd_send_signal, process.get(), signal, nullptr, 0) == 0 || errno != EPERM;
}

class child {
public:
    child() noexcept = default;
    explicit child(long pid) noexcept : pid_(pid), handle_(open_process(pid)) {}
    child(child&& other) noexcept : pid_(std::exchange(other.pid_, 0)), handle_(std::move(other.handle_)) {}
    child& operator=(child&& other) noexcept {
        std::swap(pid_, other.pid_);
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~child() = default;

    /// False once it was waited for.
    explicit operator bool() const noexcept { return pid_ > 0; }

    bool has_ended() const noexcept { return ends_until(steady_time::min()); }

    /// Waits for its end until `until` at most.
    bool ends_until(steady_time until) const noexcept {
        constexpr std::chrono::milliseconds longest_pause{10};
        for (std::chrono::milliseconds pause{1};; pause = std::min(2 * pause, longest_pause)) {
            const auto now = std::chrono::steady_clock::now();
            pollfd watched{handle_.get(), POLLIN, 0};
            const int events = ::poll(&watched, handle_ ? 1 : 0, handle_ ? milliseconds(now, until) : 0);
            if (events > 0) return true;
            if (!handle_ || (events < 0 && errno != EINTR)) {
                siginfo_t end{};
                // Somebody else may have waited for it.
                if (::waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOHANG | WNOWAIT) != 0 ||
                    end.si_pid != 0)
                    return true;
                if (now < until) std::this_thread::sleep_for(pause);
            }
            if (now >= until) return false;
        }
    }

    /// Waits for its end, for `a_while` at most; without a descriptor only if it was stopped.
    bool ends_within(std::chrono::milliseconds a_while) const noexcept {
        if (handle_) return ends_until(deadline_in(a_while));
        siginfo_t news{};
        const auto result = retry_on_eintr(
            [&] { return ::waitid(P_PID, static_cast<id_t>(pid_), &news, WEXITED | WSTOPPED | WNOWAIT); });
        // Somebody else may have waited for it.
        if (result != 0 || news.si_code != CLD_STOPPED) return true;
        std::this_thread::sleep_for(a_while);
        return false;
    }

    /// Waits for its end, and lets its process id be used again.
    exit_status wait() noexcept {
        handle_.reset();
        return wait_for_exit(std::exchange(pid_, 0));
    }

    /// False if this process may not.
    [[nodiscard]] bool send(int signal) const noexcept { return send_signal(handle_, pid_, signal); }

    /// Whether it was stopped, by SIGSTOP or a debugger, and not continued.
    bool is_stopped() const noexcept {
        try {
            return os::is_stopped(pid_);
        } catch (const std::bad_alloc&) {
            return false;
        }
    }

private:
    static int milliseconds(steady_time from, steady_time to) noexcept {
        if (to <= from) return 0;
        return static_cast<int>(std::min<std::int64_t>(
            std::chrono::ceil<std::chrono::milliseconds>(to - from).count(), 3'600'000));
    }

    long pid_ = 0;
    fd handle_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
