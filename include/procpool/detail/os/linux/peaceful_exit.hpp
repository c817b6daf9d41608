// SPDX-License-Identifier: MIT
// The end of a process that leaves by itself: what it has written is out.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PEACEFUL_EXIT_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PEACEFUL_EXIT_HPP

#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"

namespace procpool::inline v0_1::detail::os {

extern "C" {
// Of the runtimes of gcc and clang for coverage, where the program is linked with one. In gcc's, __gcov_dump
// is there only if somebody needs it, and __gcov_exit always.
[[gnu::weak]] void __gcov_dump();
[[gnu::weak]] void __gcov_exit();
[[gnu::weak]] void __llvm_profile_initialize_file();
[[gnu::weak]] int __llvm_profile_write_file();
}

/// As exit_process(), and what was counted for coverage is written, too. That may wait for what another
/// thread holds, but not for ever.
template <class = only_if_used>
[[noreturn]] void leave_in_peace(int code) noexcept {
    constexpr unsigned longest_time = 30;  // seconds
    static int code_if_late;
    code_if_late = code;
    ::signal(SIGALRM, [](int) { ::_exit(code_if_late); });
    sigset_t alarm;
    ::sigemptyset(&alarm);
    ::sigaddset(&alarm, SIGALRM);
    ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
    ::alarm(longest_time);
    std::fflush(nullptr);
    if (__gcov_dump)
        __gcov_dump();
    else if (__gcov_exit)
        __gcov_exit();
    if (__llvm_profile_write_file) {
        if (__llvm_profile_initialize_file) __llvm_profile_initialize_file();  // its file's name has the pid
        __llvm_profile_write_file();
    }
    ::_exit(code);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
