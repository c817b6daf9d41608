// SPDX-License-Identifier: MIT
// Processes, threads and what belongs to them: calls of the C library that fail as planned.
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>

#include "original.hpp"
#include "plan.hpp"

using faults::call;
using faults::manner;
using faults::when;

namespace {

PROCPOOL_FAULTS_ORIGINAL(fork)
PROCPOOL_FAULTS_ORIGINAL(vfork)
PROCPOOL_FAULTS_ORIGINAL(execve)
PROCPOOL_FAULTS_ORIGINAL(waitpid)
PROCPOOL_FAULTS_ORIGINAL(kill)
PROCPOOL_FAULTS_ORIGINAL(prctl)
PROCPOOL_FAULTS_ORIGINAL(setrlimit)
PROCPOOL_FAULTS_ORIGINAL(nice)
PROCPOOL_FAULTS_ORIGINAL(sched_setaffinity)
PROCPOOL_FAULTS_ORIGINAL(syscall)
PROCPOOL_FAULTS_ORIGINAL(dlopen)
PROCPOOL_FAULTS_ORIGINAL(pthread_create)
PROCPOOL_FAULTS_ORIGINAL(pthread_mutex_init)

}  // namespace

extern "C" {

pid_t fork() noexcept {
    if (faults::fails(call::fork)) return -1;
    const pid_t pid = real_fork();
    if (pid == 0) faults::descend();
    return pid;
}

#ifdef __x86_64__
/// What to jump to, or null if it fails.
[[gnu::used]] void* faults_real_vfork() noexcept {
    return faults::fails(call::vfork) ? nullptr : reinterpret_cast<void*>(real_vfork.get());
}

// The child returns in this stack frame before the parent does: there must be none. Elsewhere it isn't had.
[[gnu::naked]] pid_t vfork() noexcept {
    asm("subq $8, %rsp\n\t"
        "call faults_real_vfork\n\t"
        "addq $8, %rsp\n\t"
        "testq %rax, %rax\n\t"
        "jz 1f\n\t"
        "jmp *%rax\n"
        "1:\n\t"
        "movl $-1, %eax\n\t"
        "ret");
}
#endif

int execve(const char* path, char* const* arguments, char* const* environment) noexcept {
    return faults::fails(call::execve) ? -1 : real_execve(path, arguments, environment);
}

pid_t waitpid(pid_t pid, int* status, int options) {
    const faults::fault* const hit = faults::ask(call::waitpid, [=](when condition) {
        if (options & WNOHANG) return false;
        return condition == when::always ||
               (condition == when::of_program && faults::current_role() == faults::role::program);
    });
    if (!hit) return real_waitpid(pid, status, options);
    if (hit->how == manner::reaped) real_waitpid(pid, nullptr, options);
    errno = hit->error;
    return -1;
}

int kill(pid_t pid, int signal) noexcept { return faults::fails(call::kill) ? -1 : real_kill(pid, signal); }

int prctl(int option, ...) noexcept {
    va_list rest;
    va_start(rest, option);
    unsigned long arguments[4];
    for (unsigned long& one : arguments) one = va_arg(rest, unsigned long);  // what was not given isn't used
    va_end(rest);
    if (option == PR_SET_PDEATHSIG && faults::fails(call::prctl)) return -1;
    return real_prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
}

int setrlimit(__rlimit_resource_t which, const rlimit* limits) noexcept {
    return faults::fails(call::setrlimit) ? -1 : real_setrlimit(which, limits);
}

int nice(int more) noexcept { return faults::fails(call::nice) ? -1 : real_nice(more); }

int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t* cpus) noexcept {
    return faults::fails(call::sched_setaffinity) ? -1 : real_sched_setaffinity(pid, size, cpus);
}

long syscall(long number, ...) noexcept {
    va_list rest;
    va_start(rest, number);
    long arguments[6];
    for (long& one : arguments) one = va_arg(rest, long);  // what was not given isn't used
    va_end(rest);
    const bool waits = number == SYS_futex && ((arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET ||
                                               (arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT);
    if (waits && faults::fails(call::futex_wait)) return -1;
    constexpr long pidfd_send_signal = 424, pidfd_open = 434;  // older headers lack them
    if (number == pidfd_open && faults::fails(call::pidfd_open)) return -1;
    if (number == pidfd_send_signal && faults::fails(call::pidfd_send_signal)) return -1;
    if (number == SYS_close_range && faults::fails(call::close_range)) return -1;
    return real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                        arguments[5]);
}

void* dlopen(const char* path, int mode) noexcept {
    // By an error of its own, so that dlerror() tells of it.
    return real_dlopen(faults::fails(call::dlopen) ? "/no/such/library" : path, mode);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* settings, void* (*function)(void*),
                   void* argument) noexcept {
    const faults::fault* const hit =
        faults::ask(call::pthread_create, [](when condition) { return condition == when::always; });
    return hit ? hit->error : real_pthread_create(thread, settings, function, argument);
}

int pthread_mutex_init(pthread_mutex_t* mutex, const pthread_mutexattr_t* settings) noexcept {
    const faults::fault* const hit =
        faults::ask(call::pthread_mutex_init, [](when condition) { return condition == when::always; });
    return hit ? hit->error : real_pthread_mutex_init(mutex, settings);
}

}  // extern "C"
