// SPDX-License-Identifier: MIT
// What the tests call of a POSIX system, by the calls of Windows. Only what some test needs.
#ifndef PROCPOOL_TESTS_WINDOWS_POSIX_SIGNAL_H
#define PROCPOOL_TESTS_WINDOWS_POSIX_SIGNAL_H

#include_next <signal.h>  // its raise() is another one in these programs: calls.cpp

#include "windows/calls.hpp"

#define SIGHUP 1
#define SIGQUIT 3
#define SIGTRAP 5
#define SIGBUS 7
#define SIGKILL 9
#define SIGUSR1 10
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGXFSZ 25

inline int kill(long pid, int signal) { return test::windows::send_signal(pid, signal); }
#endif
