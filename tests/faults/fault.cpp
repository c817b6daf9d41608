// SPDX-License-Identifier: MIT
#include "fault.hpp"

#include <array>
#include <cstddef>
#include <cstring>

namespace faults {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(call::count)> names{"open",
                                                                                    "fopen",
                                                                                    "opendir",
                                                                                    "shm_open",
                                                                                    "memfd_create",
                                                                                    "pipe2",
                                                                                    "dupfd",
                                                                                    "setfl",
                                                                                    "setpipe_sz",
                                                                                    "dup2",
                                                                                    "fstat",
                                                                                    "stat",
                                                                                    "ftruncate",
                                                                                    "fallocate",
                                                                                    "read",
                                                                                    "pread",
                                                                                    "write",
                                                                                    "writev",
                                                                                    "socketpair",
                                                                                    "socket",
                                                                                    "bind",
                                                                                    "listen",
                                                                                    "connect",
                                                                                    "accept4",
                                                                                    "sendmsg",
                                                                                    "recvmsg",
                                                                                    "send",
                                                                                    "recv",
                                                                                    "eventfd",
                                                                                    "signalfd",
                                                                                    "epoll_create1",
                                                                                    "epoll_ctl",
                                                                                    "epoll_wait",
                                                                                    "poll",
                                                                                    "mmap",
                                                                                    "madvise",
                                                                                    "mincore",
                                                                                    "fork",
                                                                                    "vfork",
                                                                                    "execve",
                                                                                    "waitpid",
                                                                                    "kill",
                                                                                    "prctl",
                                                                                    "setrlimit",
                                                                                    "nice",
                                                                                    "sched_setaffinity",
                                                                                    "close_range",
                                                                                    "pidfd_open",
                                                                                    "pidfd_send_signal",
                                                                                    "futex_wait",
                                                                                    "getrandom",
                                                                                    "dlopen",
                                                                                    "pthread_create",
                                                                                    "pthread_mutex_init",
                                                                                    "new"};
static_assert(!names.back().empty());

}  // namespace

std::string_view name_of(call which) { return names[static_cast<std::size_t>(which)]; }

std::string name_of(const fault& which) {
    switch (which.how) {
        case manner::part: return "part";
        case manner::lost_files: return "lost_files";
        default: break;
    }
    if (which.of == call::dlopen) return "fails";
    if (which.of == call::allocate) return "bad_alloc";
    const char* const name = ::strerrorname_np(which.error);
    return name ? name : "?";
}

}  // namespace faults
