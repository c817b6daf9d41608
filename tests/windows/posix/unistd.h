// SPDX-License-Identifier: MIT
// What the tests call of a POSIX system, by the calls of Windows. Only what some test needs.
#ifndef PROCPOOL_TESTS_WINDOWS_POSIX_UNISTD_H
#define PROCPOOL_TESTS_WINDOWS_POSIX_UNISTD_H

#include_next <unistd.h>

#include <io.h>
#include <process.h>

#include "windows/calls.hpp"

#define STDIN_FILENO 0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2

inline long gettid() { return test::windows::current_thread(); }
inline long getppid() { return test::windows::parent_of(::getpid()); }
inline int pause() { return test::windows::sleep_for_ever(); }
inline unsigned int sleep(unsigned int seconds) { return test::windows::sleep_for(seconds * 1000), 0; }
inline int pipe(int (&ends)[2]) { return ::_pipe(ends, 64 * 1024, 0x8000); }
inline int setenv(const char* name, const char* value, int) { return ::_putenv_s(name, value); }
inline int unsetenv(const char* name) { return ::_putenv_s(name, ""); }
inline long fork() { return test::windows::not_there("fork"); }
inline int setpgid(long, long) { return 0; }
inline unsigned int alarm(unsigned int) {
    test::windows::not_there("alarm");
    return 0;
}
inline int ualarm(unsigned int, unsigned int) {
    test::windows::not_there("ualarm");
    return 0;
}

#endif
