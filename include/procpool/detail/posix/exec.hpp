// SPDX-License-Identifier: MIT
// Starting this program anew in a child.
//
// The child gets one descriptor, a socket whose number is its only argument, and learns all else from the
// first message there. An argument, since an environment variable would be inherited by whatever the child
// starts in its turn.
#ifndef PROCPOOL_DETAIL_POSIX_EXEC_HPP
#define PROCPOOL_DETAIL_POSIX_EXEC_HPP

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "procpool/detail/posix/error.hpp"
#include "procpool/detail/posix/fd.hpp"
#include "procpool/detail/posix/process.hpp"

namespace procpool::detail::posix {

/// Runs this program with `argument`; to be called in the child before that: inherit_only(). Returns the
/// process id.
/// @throws std::system_error
using program_launcher = long (*)(const char* argument, int inherited);

/// Set by freeze_support().
inline std::atomic<program_launcher> launcher{nullptr};

inline constexpr std::string_view birth_argument = "--procpool-process=";

/// The socket in the argument of a process that was started anew; nothing in all others.
inline std::optional<int> birth_socket(int argc, const char* const* argv) {
    if (argc != 2 || !std::string_view(argv[1]).starts_with(birth_argument)) return std::nullopt;
    return std::atoi(argv[1] + birth_argument.size());
}

/// The same for code that has no arguments at hand.
inline std::optional<int> birth_socket() {
    std::array<char, 4096> line{};
    const int file = ::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    const auto size = retry_on_eintr([&] { return ::read(file, line.data(), line.size() - 1); });
    ::close(file);
    std::array<const char*, 3> arguments{};
    int count = 0;
    for (std::size_t at = 0; size > 0 && at < static_cast<std::size_t>(size) && count < 3; ++count) {
        arguments[static_cast<std::size_t>(count)] = line.data() + at;
        at += std::strlen(line.data() + at) + 1;
    }
    return birth_socket(count, arguments.data());
}

/// For a fresh run of the program that gets to where it would do what the program does.
[[noreturn]] inline void end_without_freeze_support() noexcept {
    std::fprintf(
        stderr,
        "procpool: process %ld was started to be a worker and has come to the program's own work; call "
        "procpool::freeze_support(argc, argv) first in main, whatever the arguments are\n",
        current_pid());
    exit_process(EXIT_FAILURE);
}

/// Between fork or vfork and exec: of all descriptors but the standard ones, the new program gets `file`
/// alone. Calls nothing that isn't safe there.
inline void inherit_only(int file) noexcept {
    constexpr unsigned first = STDERR_FILENO + 1;
    // They are closed by exec and not at once, since who executes may have one to tell of its failure.
    if (::syscall(SYS_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
        const long most = ::sysconf(_SC_OPEN_MAX);  // a kernel before 5.11
        for (int one = first; one < most; ++one) ::fcntl(one, F_SETFD, FD_CLOEXEC);
    }
    ::fcntl(file, F_SETFD, 0);
}

/// Starts this program anew with `socket`, all signals blocked, and the standard streams of this process.
/// @throws std::system_error
inline long start_anew(const fd& socket) {
    const std::string argument = std::string(birth_argument).append(std::to_string(socket.get()));
    // A handler of the program's that runs in the child, before exec, would run in the wrong process; and no
    // child that another thread forks meanwhile must hold what this one has open for a moment.
    const signals_blocked quiet;
    auto& registry = fd_registry::instance();
    const auto no_fork = registry.hold_forks();
    // It may be a fork after all: by Boost.Process without vfork, or by the thread sanitizer, which has none.
    const std::array keep{socket.get()};
    registry.keep_in_next_child(keep);
    const struct forget_it {
        ~forget_it() { fd_registry::instance().keep_in_next_child({}); }
    } afterwards;
    return launcher.load()(argument.c_str(), socket.get());
}

/// Shows under the program's name in lists of processes, and not as "exe".
inline void take_program_name() noexcept { ::prctl(PR_SET_NAME, program_invocation_short_name); }

}  // namespace procpool::detail::posix

#endif
