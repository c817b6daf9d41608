// SPDX-License-Identifier: MIT
// The faults that are tried: for each call the errors that its manual page lists and that can happen there.
#ifndef PROCPOOL_TESTS_FAULTS_TABLE_HPP
#define PROCPOOL_TESTS_FAULTS_TABLE_HPP

#include <array>
#include <cerrno>
#include <cstddef>

#include "fault.hpp"

namespace faults {

inline constexpr bool harmless = true;
inline constexpr bool lasts = true;

// Left out:
// - what only a mistake of the caller's causes, since nothing of that kind depends on the system: EBADF,
//   EFAULT, EINVAL, ENOTSOCK, ESRCH of kill() for a child that was not waited for, ...;
// - EINTR where the call doesn't wait: opening and changing files, all that is told not to wait, memory
// files;
// - EIO and ENOSPC of what is no regular file; EDQUOT and EFBIG, which are treated as ENOSPC is;
// - EPIPE of pipes: the library holds both ends of a worker's pipes itself, and elsewhere a test closes one;
// - close() and munmap(): the number or the addresses are free afterwards, whatever they return;
// - what reads a state of this process: getpid, sigaction, sigprocmask, getrlimit, F_GETFL, sysconf;
// - waitid(), which is told not to wait, and ECHILD where only the library waits for children;
// - waking by a futex, unlocking a mutex: they fail by mistakes only;
// - calls of the C library's own, in getaddrinfo or fopen for instance: fopen as a whole fails here.
inline constexpr std::array table{
    // A descriptor or a file in /proc that can't be had.
    fault{call::open, EMFILE, when::always, false, lasts},
    fault{call::open, ENFILE},
    fault{call::open, ENOMEM},
    fault{call::open, EACCES},
    fault{call::open, ENOENT},
    fault{call::fopen, EMFILE, when::always, false, lasts},
    fault{call::fopen, ENOMEM},
    fault{call::fopen, EACCES},
    fault{call::opendir, EMFILE, when::always, false, lasts},
    fault{call::opendir, ENOMEM},
    fault{call::opendir, EACCES},
    fault{call::shm_open, EMFILE, when::always, false, lasts},
    fault{call::shm_open, ENFILE},
    fault{call::shm_open, EACCES},
    fault{call::shm_open, ENOSPC},
    fault{call::memfd_create, EMFILE, when::always, false, lasts},
    fault{call::memfd_create, ENFILE},
    fault{call::memfd_create, ENOMEM},
    fault{call::pipe2, EMFILE, when::always, false, lasts},
    fault{call::pipe2, ENFILE},
    fault{call::fcntl_dupfd, EMFILE, when::always, false, lasts},
    fault{call::fcntl_dupfd, EINVAL},  // the limit is as low as the number asked for
    fault{call::fcntl_setfl, EINVAL},  // a pipe without packets: kernels before 3.4
    fault{call::fcntl_setpipe_sz, EPERM, when::always, harmless, lasts},
    fault{call::fcntl_setpipe_sz, ENOMEM, when::always, harmless},
    fault{call::dup2, EINTR, when::always, harmless},
    fault{call::dup2, EBUSY},
    fault{call::dup2, EMFILE},
    fault{call::fstat, ENOMEM},
    fault{call::stat, ENOENT},
    fault{call::stat, ENOMEM},
    fault{call::stat, EACCES, when::always, false, lasts},

    // Bytes.
    fault{call::ftruncate, EFBIG, when::always, false, lasts},
    fault{call::ftruncate, ENOSPC},
    fault{call::fallocate, EINTR, when::always, harmless},
    fault{call::fallocate, ENOSPC, when::always, false, lasts},
    fault{call::fallocate, EOPNOTSUPP},
    fault{call::read, EINTR, when::may_wait, harmless},
    fault{call::read, EAGAIN, when::does_not_wait, harmless},
    fault{call::read, EIO, when::on_file},
    fault{call::read, 0, when::divisible, harmless, false, manner::part},
    fault{call::pread, EIO},
    fault{call::write, EINTR, when::may_wait, harmless},
    fault{call::write, EAGAIN, when::does_not_wait, harmless},
    fault{call::write, EIO, when::on_file},
    fault{call::write, ENOSPC, when::on_file, false, lasts},
    fault{call::write, ENOMEM, when::on_pipe},
    fault{call::write, 0, when::divisible, harmless, false, manner::part},
    fault{call::writev, EINTR, when::may_wait, harmless},
    fault{call::writev, EAGAIN, when::does_not_wait, harmless},
    fault{call::writev, EIO, when::on_file},
    fault{call::writev, ENOSPC, when::on_file, false, lasts},
    fault{call::writev, ENOMEM, when::on_pipe},
    fault{call::writev, 0, when::divisible, harmless, false, manner::part},

    // Sockets.
    fault{call::socketpair, EMFILE, when::always, false, lasts},
    fault{call::socketpair, ENFILE},
    fault{call::socketpair, ENOMEM},
    fault{call::socket, EMFILE, when::always, false, lasts},
    fault{call::socket, ENFILE},
    fault{call::socket, ENOBUFS},
    fault{call::bind, EADDRINUSE},
    fault{call::bind, ENOMEM},
    fault{call::listen, EADDRINUSE},
    fault{call::connect, EINTR, when::always, harmless},
    fault{call::connect, ECONNREFUSED},
    fault{call::connect, ENOMEM},
    fault{call::connect, EACCES},
    fault{call::accept4, EINTR, when::always, harmless},
    fault{call::accept4, EMFILE, when::always, harmless},
    fault{call::accept4, ENFILE, when::always, harmless},
    fault{call::accept4, ENOMEM, when::always, harmless},
    fault{call::accept4, ECONNABORTED, when::always, harmless},
    fault{call::sendmsg, EINTR, when::may_wait, harmless},
    fault{call::sendmsg, ENOBUFS, when::always, false, lasts},
    fault{call::sendmsg, ENOMEM},
    fault{call::sendmsg, ETOOMANYREFS, when::with_files, false, lasts},
    fault{call::sendmsg, EPIPE, when::always, false, false, manner::reset},
    fault{call::recvmsg, EINTR, when::may_wait, harmless},
    fault{call::recvmsg, EAGAIN, when::does_not_wait, harmless},
    fault{call::recvmsg, ENOMEM},
    fault{call::recvmsg, ECONNRESET, when::always, false, false, manner::reset},
    fault{call::recvmsg, 0, when::with_files, false, lasts, manner::lost_files},
    fault{call::send, EINTR, when::may_wait, harmless},
    fault{call::send, ENOBUFS},
    fault{call::send, ENOMEM},
    fault{call::send, EPIPE, when::always, false, false, manner::reset},
    fault{call::send, 0, when::divisible, harmless, false, manner::part},
    fault{call::recv, EINTR, when::may_wait, harmless},
    fault{call::recv, ENOMEM},
    fault{call::recv, ECONNRESET, when::always, false, false, manner::reset},
    fault{call::recv, 0, when::divisible, harmless, false, manner::part},

    // Waiting.
    fault{call::eventfd, EMFILE, when::always, false, lasts},
    fault{call::eventfd, ENFILE},
    fault{call::eventfd, ENOMEM},
    fault{call::signalfd, EMFILE, when::always, false, lasts},
    fault{call::signalfd, ENFILE},
    fault{call::signalfd, ENOMEM},
    fault{call::epoll_create1, EMFILE, when::always, false, lasts},
    fault{call::epoll_create1, ENFILE},
    fault{call::epoll_create1, ENOMEM},
    fault{call::epoll_ctl, ENOMEM, when::grows},
    fault{call::epoll_ctl, ENOSPC, when::grows, false, lasts},
    fault{call::epoll_wait, EINTR, when::may_wait, harmless},
    fault{call::poll, EINTR, when::may_wait, harmless},
    fault{call::poll, ENOMEM},
    fault{call::futex_wait, EINTR, when::always, harmless},
    fault{call::futex_wait, EAGAIN, when::always, harmless},

    // Memory.
    fault{call::mmap, ENOMEM, when::always, false, lasts},
    fault{call::mmap, EAGAIN},
    fault{call::madvise, ENOMEM, when::always, false, lasts},
    fault{call::madvise, EAGAIN},
    fault{call::madvise, EINTR, when::of_kernel_5_14, harmless},
    fault{call::madvise, EINVAL, when::of_kernel_5_14, harmless, lasts},
    fault{call::mincore, EAGAIN},
    fault{call::mincore, ENOMEM},
    fault{call::allocate, ENOMEM, when::always, false, lasts},

    // Processes and threads.
    fault{call::fork, EAGAIN, when::always, false, lasts},
    fault{call::fork, ENOMEM},
    fault{call::vfork, EAGAIN, when::always, false, lasts},
    fault{call::vfork, ENOMEM},
    fault{call::execve, ENOMEM, when::always, false, lasts},
    fault{call::execve, ENOENT},
    fault{call::execve, EMFILE},
    fault{call::waitpid, EINTR, when::always, harmless},
    fault{call::waitpid, ECHILD, when::of_program, false, false, manner::reaped},
    fault{call::kill, EPERM},
    fault{call::pidfd_open, EMFILE, when::always, harmless, lasts},
    fault{call::pidfd_open, ENOSYS, when::always, harmless, lasts},  // kernels before 5.3
    fault{call::pidfd_send_signal, EPERM, when::always, harmless},
    fault{call::prctl, EPERM},  // by a seccomp filter, as are the next ones
    fault{call::setrlimit, EPERM},
    fault{call::nice, EPERM},
    fault{call::sched_setaffinity, EPERM},
    fault{call::close_range, ENOSYS, when::always, harmless},  // kernels before 5.11
    fault{call::close_range, ENOMEM, when::always, harmless},
    fault{call::getrandom, EINTR, when::always, harmless},
    fault{call::getrandom, ENOSYS},
    fault{call::dlopen, 0},
    fault{call::pthread_create, EAGAIN, when::always, false, lasts},
    fault{call::pthread_mutex_init, ENOMEM},
};

/// The index of a fault in the table.
inline std::size_t index_of(const fault& one) noexcept {
    return static_cast<std::size_t>(&one - table.data());
}

}  // namespace faults

#endif
