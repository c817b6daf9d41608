// SPDX-License-Identifier: MIT
// The terminal that a stream of this process may be: its size, who may write to it, and writes that don't
// wait.
#ifndef PROCPOOL_DETAIL_OS_LINUX_TERMINAL_HPP
#define PROCPOOL_DETAIL_OS_LINUX_TERMINAL_HPP

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/pipe.hpp"

namespace procpool::inline v0_1::detail::os {

/// Which terminal `file` is, the same number in all processes; 0 if it is none.
inline std::uint64_t terminal_number(int file) noexcept {
    struct stat status{};
    if (::isatty(file) != 1 || ::fstat(file, &status) != 0) return 0;
    return status.st_rdev;
}

struct terminal_size {
    int columns = 0;  // 0 if it doesn't know
    int rows = 0;
};
inline terminal_size size_of_terminal(int file) noexcept {
    winsize size{};
    if (::ioctl(file, TIOCGWINSZ, &size) != 0) return {};
    return {size.ws_col, size.ws_row};
}

/// Whether the terminal belongs to other processes now: a shell has put this one into the background.
inline bool is_in_background(int terminal) noexcept {
    const pid_t group = ::tcgetpgrp(terminal);
    return group > 0 && group != ::getpgrp();  // with none it isn't the one that this process belongs to
}

/// The same terminal for writes that never wait. Not `file` itself with another flag, which all would have
/// that share it. Empty if it can't be opened: it may be another user's.
inline fd open_again_without_waiting(int file) noexcept {
    try {
        const std::string name = "/proc/self/fd/" + std::to_string(file);
        const auto no_fork = fd_registry::instance().hold_forks();
        return fd(retry_on_eintr(
            [&] { return ::open(name.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); }));
    } catch (...) {
        return {};
    }
}

/// Writes what a terminal for such writes takes. After any failure that stays it is `closed`.
inline transfer write_at_once(const fd& file, std::string_view text) noexcept {
    const auto n = retry_on_eintr([&] { return ::write(file.get(), text.data(), text.size()); });
    if (n > 0) return {.bytes = static_cast<std::size_t>(n)};
    if (n < 0 && errno == EAGAIN) return {.would_block = true};
    return {.closed = true};
}

/// For a thread of the library: what it writes to a pipe that nobody reads is an error, and no signal.
inline void block_broken_pipes() noexcept {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &one, nullptr);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
