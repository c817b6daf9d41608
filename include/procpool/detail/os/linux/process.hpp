// SPDX-License-Identifier: MIT
// Birth and death of processes; the signals that are sent to them.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PROCESS_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PROCESS_HPP

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <span>
#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/fork_hooks.hpp"
#include "procpool/detail/os/linux/inherited_output.hpp"
#include "procpool/detail/os/pid.hpp"

namespace procpool::inline v0_1::detail::os {

/// Whether this process, or one that it was forked from, was started by a pool as a fresh run of the program.
inline bool started_anew = false;
/// Set in a fresh run of another executable than the program whose worker it is.
inline bool runs_another_program = false;
/// Set by set_executable(): workers may be fresh runs of another executable than this one.
inline bool workers_run_another_program = false;

/// Whether a process can be made as a copy of this one.
inline constexpr bool can_fork = true;

/// To end a process: when it likes to, and at once; what Ctrl-C sends, and the end of a terminal.
inline constexpr int terminate_signal = SIGTERM;
inline constexpr int kill_signal = SIGKILL;
inline constexpr int interrupt_signal = SIGINT;
inline constexpr int hangup_signal = SIGHUP;

inline long current_pid() noexcept { return ::getpid(); }
/// Another one's after this process's own parent has ended.
inline long parent_pid() noexcept { return ::getppid(); }

/// How a process ended; both empty while nobody knows.
struct exit_status {
    std::optional<int> code;
    int signal = 0;
};

/// Of what was told of it: an exit code, or a signal's number.
inline exit_status status_told(int code, bool signalled) noexcept {
    return signalled ? exit_status{{}, code} : exit_status{code, 0};
}

/// "signal 9 (SIGKILL)" or "exit code 3", for messages.
inline std::string describe(const exit_status& status) {
    if (status.signal != 0) {
        const char* const name = ::sigabbrev_np(status.signal);
        return "signal " + std::to_string(status.signal) + (name ? " (SIG" + std::string(name) + ")" : "");
    }
    if (status.code) return "exit code " + std::to_string(*status.code);
    return "unknown exit status";
}

/// Forks; the child runs `body` and ends with the number that it returns, whatever happens in it.
/// Of the library's descriptors the child has just those of `keep`.
template <class Body>
pid_t fork_process(std::span<const int> keep, Body body) {
    const fork_hooks hooks;
    hooks.before();
    fd_registry::instance().keep_in_next_child(keep);
    const pid_t pid = ::fork();
    const int fork_error = errno;
    fd_registry::instance().keep_in_next_child({});
    if (pid != 0) hooks.after_in_parent();
    if (pid < 0) throw_system_error(fork_error, "fork");
    if (pid > 0) return pid;
    drop_inherited_output();
    try {
        hooks.after_in_child();
        ::_exit(body());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "procpool: process %ld ends: %s\n", current_pid(), error.what());
    } catch (...) {
        std::fprintf(stderr, "procpool: process %ld ends: unknown exception\n", current_pid());
    }
    ::_exit(EXIT_FAILURE);
}

/// Nothing is flushed. Safe between fork or vfork and exec.
[[noreturn]] inline void end_at_once(int code) noexcept { ::_exit(code); }

/// Leaves at once: no destructors, no atexit handlers, but what was printed is out.
[[noreturn]] inline void exit_process(int code) noexcept {
    std::fflush(nullptr);
    ::_exit(code);
}

/// Has `F(status)` called when main returns or something calls exit().
template <void (*F)(int)>
void at_exit() noexcept {
#ifdef __GLIBC__
    ::on_exit([](int status, void* /*nothing*/) { F(status); }, nullptr);
#else
    std::atexit([] { F(EXIT_FAILURE); });  // nobody tells the status
#endif
}

/// Whether no process has this id; a zombie still has its own.
inline bool is_gone(std::int64_t pid) noexcept {
    return ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
}

/// Sends `signal`; a process that is gone already is no error. False if this process may not.
[[nodiscard]] inline bool send_signal(long pid, int signal) noexcept {
    return ::kill(static_cast<pid_t>(pid), signal) == 0 || errno != EPERM;
}

/// Waits for a child of ours to end; of one that somebody else has reaped, nobody knows how it ended.
inline exit_status wait_for_exit(long pid) noexcept {
    int status = 0;
    if (retry_on_eintr([&] { return ::waitpid(static_cast<pid_t>(pid), &status, 0); }) <= 0) return {};
    if (WIFSIGNALED(status)) return {{}, WTERMSIG(status)};
    return {WEXITSTATUS(status), 0};
}

/// This process dies when its parent does. The kernel means the parent's *thread* that forked, so this
/// is for children of single-threaded processes.
inline void die_with_parent(long parent) {
    checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)");
    if (parent_pid() != parent) ::_exit(EXIT_FAILURE);  // it had died before the call
}

/// Takes that back.
inline void die_with_parent_no_more() noexcept { ::prctl(PR_SET_PDEATHSIG, 0); }

/// Reads of standard input find its end, as in the workers of Python.
inline void detach_standard_input() noexcept {
    const int null = ::open("/dev/null", O_RDONLY);
    if (null < 0) {
        ::close(STDIN_FILENO);
        return;
    }
    ::dup2(null, STDIN_FILENO);
    if (null != STDIN_FILENO) ::close(null);
}

/// What this process prints to `stream` goes to `file` from now on.
inline void redirect(const fd& file, int stream) {
    checked(retry_on_eintr([&] { return ::dup2(file.get(), stream); }), "dup2 (of an output stream)");
}

}  // namespace procpool::inline v0_1::detail::os

#endif
