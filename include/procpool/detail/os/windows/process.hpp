// SPDX-License-Identifier: MIT
// Birth and death of processes, and how they end.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PROCESS_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PROCESS_HPP

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fork_hooks.hpp"
#include "procpool/detail/os/pid.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/blocking.hpp"

// Of the C library.
extern "C" {
__declspec(dllimport) int __cdecl _open_osfhandle(std::intptr_t, int);
__declspec(dllimport) int __cdecl _dup2(int, int);
__declspec(dllimport) int __cdecl _close(int);
}

namespace procpool::inline v0_1::detail::os {

/// Whether a process can be made as a copy of this one.
inline constexpr bool can_fork = false;

/// Whether this process was started by a pool as a fresh run of the program.
inline bool started_anew = false;
/// Set in a fresh run of another executable than the program whose worker it is.
inline bool runs_another_program = false;
/// Set by set_executable(): workers may be fresh runs of another executable than this one.
inline bool workers_run_another_program = false;

inline long current_pid() noexcept { return static_cast<long>(::GetCurrentProcessId()); }

// By these numbers a worker is told to end. There are no signals here: whatever the number is, it ends at
// once, and that is how it has ended.
inline constexpr int terminate_signal = 15;
inline constexpr int kill_signal = 9;
inline constexpr int interrupt_signal = 2;
inline constexpr int hangup_signal = 1;

/// How a process ended; both empty while nobody knows. One that an exception of the system has ended has
/// both: the code is that exception, and the signal what other systems call it, where they have a name for
/// it.
struct exit_status {
    std::optional<int> code;
    int signal = 0;
};

/// With such a code the library ends processes; the number of the signal comes behind it.
inline constexpr unsigned long ended_by_signal = 0xE0500000;

struct named_exception {
    unsigned long code;
    const char* name;
    int signal;  // its counterpart; 0 if there is none
};
inline constexpr named_exception named_exceptions[] = {
    {0xC0000005, "access violation", 11},     {0xC0000006, "a page could not be read", 7},
    {0xC000001D, "illegal instruction", 4},   {0xC0000094, "integer division by zero", 8},
    {0xC00000FD, "stack overflow", 11},       {0xC0000135, "a DLL was not found", 0},
    {0xC000013A, "Ctrl-C", interrupt_signal}, {0xC0000142, "a DLL could not start", 0},
    {0xC0000374, "heap corruption", 6},       {0xC0000409, "abort, or a damaged stack", 6},
};
inline const named_exception* exception_of(unsigned long code) noexcept {
    for (const named_exception& one : named_exceptions)
        if (one.code == code) return &one;
    return nullptr;
}

/// Of what the system tells.
inline exit_status status_of(unsigned long code) noexcept {
    if ((code & 0xFFFFFF00) == ended_by_signal) return {{}, static_cast<int>(code & 0xFF)};
    const named_exception* const exception = exception_of(code);
    return {static_cast<int>(code), exception ? exception->signal : 0};
}
/// Of what was told of it: an exit code, or a signal's number.
inline exit_status status_told(int code, bool signalled) noexcept {
    return signalled ? exit_status{{}, code} : status_of(static_cast<unsigned long>(code));
}

/// "exception 0xC0000005 (access violation)" or "exit code 3", for messages.
inline std::string describe(const exit_status& status) {
    if (status.code) {
        const auto code = static_cast<unsigned long>(*status.code);
        if (code < 0xC0000000) return "exit code " + std::to_string(*status.code);
        char text[32];
        std::snprintf(text, sizeof text, "exception 0x%08lX", code);
        const named_exception* const exception = exception_of(code);
        return exception ? std::string(text) + " (" + exception->name + ")" : text;
    }
    if (status.signal == kill_signal) return "signal 9 (SIGKILL)";
    if (status.signal == terminate_signal) return "signal 15 (SIGTERM)";
    if (status.signal == interrupt_signal) return "signal 2 (SIGINT)";
    return status.signal != 0 ? "signal " + std::to_string(status.signal) : "unknown exit status";
}

/// Nothing is flushed.
[[noreturn]] inline void end_at_once(int code) noexcept {
    ::TerminateProcess(::GetCurrentProcess(), static_cast<unsigned int>(code));
    std::abort();
}
/// Leaves at once: no destructors, no atexit handlers, but what was printed is out.
[[noreturn]] inline void exit_process(int code) noexcept {
    std::fflush(nullptr);
    end_at_once(code);
}

/// Has `F(status)` called when main returns or something calls exit().
template <void (*F)(int)>
void at_exit() noexcept {
    std::atexit([] { F(EXIT_FAILURE); });  // nobody tells the status
}

/// A handle for the process that has this id now; empty if there is none.
inline fd open_process(long pid, unsigned long rights) noexcept {
    return fd(::OpenProcess(rights, 0, static_cast<unsigned long>(pid)));
}

/// Whether no process has this id.
inline bool is_gone(std::int64_t pid) noexcept {
    const fd process = open_process(static_cast<long>(pid), api::process_synchronize);
    if (!process) return ::GetLastError() == api::error_invalid_parameter;
    return ::WaitForSingleObject(process.get(), 0) == api::wait_object;
}

/// Ends a process, which tells `signal` as its cause. One that is gone already is no error; false if this
/// process may not.
[[nodiscard]] inline bool send_signal(const fd& process, int signal) noexcept {
    if (::TerminateProcess(process.get(), ended_by_signal | static_cast<unsigned int>(signal))) return true;
    return ::WaitForSingleObject(process.get(), 0) == api::wait_object;
}

/// Reads of standard input find its end, as in the workers of Python.
inline void detach_standard_input() noexcept {
    void* const null =
        ::CreateFileW(L"NUL", api::generic_read, api::share_all, nullptr, api::open_existing, 0, nullptr);
    const int file =
        null == api::invalid_handle ? -1 : ::_open_osfhandle(reinterpret_cast<std::intptr_t>(null), 0);
    if (file < 0) return;
    ::_dup2(file, 0);
    ::_close(file);
}

/// What this process prints to `stream` goes to `file` from now on.
inline void redirect(fd file, int stream) {
    const int number = ::_open_osfhandle(reinterpret_cast<std::intptr_t>(file.release()), 0);
    if (number < 0 || ::_dup2(number, stream) != 0) throw_system_error(errno, "_dup2 (of an output stream)");
    ::_close(number);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
