// SPDX-License-Identifier: MIT
// Waiting and memory: calls of the C library that fail as planned.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>

#include "original.hpp"
#include "plan.hpp"

using faults::call;
using faults::when;

namespace {

PROCPOOL_FAULTS_ORIGINAL(eventfd)
PROCPOOL_FAULTS_ORIGINAL(signalfd)
PROCPOOL_FAULTS_ORIGINAL(epoll_create1)
PROCPOOL_FAULTS_ORIGINAL(epoll_ctl)
PROCPOOL_FAULTS_ORIGINAL(epoll_wait)
PROCPOOL_FAULTS_ORIGINAL(poll)
PROCPOOL_FAULTS_ORIGINAL(mmap)
PROCPOOL_FAULTS_ORIGINAL(madvise)
PROCPOOL_FAULTS_ORIGINAL(mincore)
PROCPOOL_FAULTS_ORIGINAL(getrandom)

/// Of calls that wait for at most `milliseconds`.
auto waits(int milliseconds) noexcept {
    return [=](when condition) {
        return condition == when::always || (condition == when::may_wait && milliseconds != 0);
    };
}

}  // namespace

extern "C" {

int eventfd(unsigned value, int flags) noexcept {
    return faults::fails(call::eventfd) ? -1 : real_eventfd(value, flags);
}

int signalfd(int file, const sigset_t* signals, int flags) noexcept {
    return faults::fails(call::signalfd) ? -1 : real_signalfd(file, signals, flags);
}

int epoll_create1(int flags) noexcept {
    return faults::fails(call::epoll_create1) ? -1 : real_epoll_create1(flags);
}

int epoll_ctl(int poller, int operation, int file, epoll_event* event) noexcept {
    const auto possible = [=](when condition) {
        return condition == when::grows && operation == EPOLL_CTL_ADD;
    };
    return faults::fails(call::epoll_ctl, possible) ? -1 : real_epoll_ctl(poller, operation, file, event);
}

int epoll_wait(int poller, epoll_event* events, int most, int milliseconds) {
    if (faults::fails(call::epoll_wait, waits(milliseconds))) return -1;
    return real_epoll_wait(poller, events, most, milliseconds);
}

int poll(pollfd* files, nfds_t count, int milliseconds) {
    if (faults::fails(call::poll, waits(milliseconds))) return -1;
    return real_poll(files, count, milliseconds);
}

void* mmap(void* at, size_t size, int protection, int flags, int file, off_t offset) noexcept {
    if (faults::fails(call::mmap)) return MAP_FAILED;
    return real_mmap(at, size, protection, flags, file, offset);
}

int madvise(void* at, size_t size, int advice) noexcept {
    constexpr int populate_write = 23;  // MADV_POPULATE_WRITE, which older headers lack
    const auto possible = [=](when condition) {
        return condition == when::always || (condition == when::of_kernel_5_14 && advice == populate_write);
    };
    return faults::fails(call::madvise, possible) ? -1 : real_madvise(at, size, advice);
}

int mincore(void* at, size_t size, unsigned char* pages) noexcept {
    return faults::fails(call::mincore) ? -1 : real_mincore(at, size, pages);
}

ssize_t getrandom(void* to, size_t size, unsigned flags) {
    return faults::fails(call::getrandom) ? -1 : real_getrandom(to, size, flags);
}

}  // extern "C"
