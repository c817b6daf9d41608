// SPDX-License-Identifier: MIT
// Limits that Windows doesn't have: who asks for them fails.
#ifndef PROCPOOL_TESTS_WINDOWS_POSIX_SYS_RESOURCE_H
#define PROCPOOL_TESTS_WINDOWS_POSIX_SYS_RESOURCE_H

#define RLIMIT_FSIZE 1
#define RLIMIT_NOFILE 7
#define RLIMIT_AS 9
#define RLIMIT_CORE 4
#define PRIO_PROCESS 0
using rlim_t = unsigned long long;
#define RLIM_INFINITY (~rlim_t{0})
struct rlimit {
    rlim_t rlim_cur, rlim_max;
};
inline int getrlimit(int, rlimit*) { return -1; }
inline int setrlimit(int, const rlimit*) { return -1; }
inline int getpriority(int, int) { return -1; }

#endif
