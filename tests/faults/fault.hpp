// SPDX-License-Identifier: MIT
// What can fail: calls of the C library, and the ways in which each of them may.
#ifndef PROCPOOL_TESTS_FAULTS_FAULT_HPP
#define PROCPOOL_TESTS_FAULTS_FAULT_HPP

#include <cstdint>
#include <string>
#include <string_view>

namespace faults {

enum class call : std::uint8_t {
    open,
    fopen,
    opendir,
    shm_open,
    memfd_create,
    pipe2,
    fcntl_dupfd,
    fcntl_setfl,
    fcntl_setpipe_sz,
    dup2,
    fstat,
    stat,
    ftruncate,
    fallocate,
    read,
    pread,
    write,
    writev,
    socketpair,
    socket,
    bind,
    listen,
    connect,
    accept4,
    sendmsg,
    recvmsg,
    send,
    recv,
    eventfd,
    signalfd,
    epoll_create1,
    epoll_ctl,
    epoll_wait,
    poll,
    mmap,
    madvise,
    mincore,
    fork,
    vfork,
    execve,
    waitpid,
    kill,
    prctl,
    setrlimit,
    nice,
    sched_setaffinity,
    close_range,
    pidfd_open,
    pidfd_send_signal,
    futex_wait,
    getrandom,
    dlopen,
    pthread_create,
    pthread_mutex_init,
    allocate,  // operator new
    count
};

/// How a call fails.
enum class manner : std::uint8_t {
    error,      // at once, with an errno
    reset,      // a socket's, with an errno; the other side finds it closed, as in earnest
    reaped,     // waitpid: the child ends, and somebody else has taken the news
    part,       // moves a part of the bytes
    lost_files  // a message comes, but there was no room for the descriptors in it
};

/// Which calls can fail so.
enum class when : std::uint8_t {
    always,
    may_wait,        // on a pipe or a socket, which is not told not to wait; with a timeout that is not 0
    does_not_wait,   // on a pipe or a socket, which is told not to wait
    on_pipe,         // that carries bytes
    on_file,         // that is a regular one
    divisible,       // more than a byte, which the kernel may move in parts
    with_files,      // a message that carries descriptors
    grows,           // epoll_ctl: something is added
    of_program,      // waitpid: the program may wait for children of its own, and get the library's
    of_kernel_5_14,  // madvise with advice that older kernels don't have
};

struct fault {
    call of;
    int error;
    when can_be = when::always;
    /// Nothing is lost by it: whoever called can and must go on as if nothing had been.
    bool harmless = false;
    /// It is tried also as a state that lasts: that call and all later ones fail.
    bool lasts = false;
    manner how = manner::error;
};

std::string_view name_of(call which);
/// "EMFILE", "part", ...
std::string name_of(const fault& which);

}  // namespace faults

#endif
