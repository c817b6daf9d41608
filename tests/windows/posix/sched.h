// SPDX-License-Identifier: MIT
// What the tests call of a POSIX system, by the calls of Windows. Only what some test needs.
#ifndef PROCPOOL_TESTS_WINDOWS_POSIX_SCHED_H
#define PROCPOOL_TESTS_WINDOWS_POSIX_SCHED_H

#include_next <sched.h>

#include "windows/calls.hpp"

struct cpu_set_t {
    unsigned long long bits = 0;
};
#define CPU_SETSIZE 64
#define CPU_ZERO(set) ((set)->bits = 0)
#define CPU_SET(number, set) ((set)->bits |= 1ULL << (number))
#define CPU_ISSET(number, set) (((set)->bits >> (number)) & 1)
#define CPU_COUNT(set) __builtin_popcountll((set)->bits)
#define SCHED_IDLE 5
inline int sched_getaffinity(int, unsigned long long, cpu_set_t* set) {
    set->bits = test::windows::own_cpus();
    return set->bits == 0 ? -1 : 0;
}
inline int sched_setaffinity(int, unsigned long long, const cpu_set_t* set) {
    return test::windows::use_cpus(set->bits);
}
inline int sched_setscheduler(int, int, const sched_param*, int = 0) { return 0; }
inline int sched_getcpu() { return test::windows::this_cpu(); }

#endif
