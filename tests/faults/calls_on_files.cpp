// SPDX-License-Identifier: MIT
// Files, pipes and descriptors: calls of the C library that fail as planned.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "file_kind.hpp"
#include "original.hpp"
#include "plan.hpp"

using faults::call;
using faults::direction;
using faults::manner;
using faults::when;

namespace {

PROCPOOL_FAULTS_ORIGINAL(open)
PROCPOOL_FAULTS_ORIGINAL(fopen)
PROCPOOL_FAULTS_ORIGINAL(opendir)
PROCPOOL_FAULTS_ORIGINAL(shm_open)
PROCPOOL_FAULTS_ORIGINAL(memfd_create)
PROCPOOL_FAULTS_ORIGINAL(pipe2)
PROCPOOL_FAULTS_ORIGINAL(fcntl)
PROCPOOL_FAULTS_ORIGINAL(dup2)
PROCPOOL_FAULTS_ORIGINAL(fstat)
PROCPOOL_FAULTS_ORIGINAL(stat)
PROCPOOL_FAULTS_ORIGINAL(ftruncate)
PROCPOOL_FAULTS_ORIGINAL(fallocate)
PROCPOOL_FAULTS_ORIGINAL(read)
PROCPOOL_FAULTS_ORIGINAL(pread)
PROCPOOL_FAULTS_ORIGINAL(write)
PROCPOOL_FAULTS_ORIGINAL(writev)

}  // namespace

namespace faults {
namespace {

// Only the end that was changed tells it, and a part of a packet is all that a read gets of it: the rest is
// gone.
void remember_packet_pipe(int file) noexcept {
    struct stat status{};
    if (the_plan && real_fstat(file, &status) == 0)
        the_plan->packet_pipes[the_plan->packet_pipe_count++ % the_plan->packet_pipes.size()] = status.st_ino;
}
bool carries_packets(const struct stat& pipe) noexcept {
    return std::ranges::any_of(the_plan->packet_pipes,
                               [&](const auto& inode) { return inode == pipe.st_ino; });
}

}  // namespace

bool can_be(when condition, int file, direction where, std::size_t size, bool told_not_to_wait) noexcept {
    if (condition == when::always) return true;
    struct stat status{};
    const int flags = real_fcntl(file, F_GETFL);
    if (flags < 0 || real_fstat(file, &status) != 0) return false;
    const bool pipe = S_ISFIFO(status.st_mode);
    const bool socket = S_ISSOCK(status.st_mode);
    const bool waits = !told_not_to_wait && !(flags & O_NONBLOCK);
    switch (condition) {
        case when::may_wait: return (pipe || socket) && waits;
        case when::does_not_wait: return (pipe || socket) && !waits;
        case when::on_pipe: return pipe;
        case when::on_file: return S_ISREG(status.st_mode);
        case when::divisible:
            if (size < 2 || (pipe && carries_packets(status))) return false;
            if (pipe) return where == direction::in || size > PIPE_BUF;
            return socket || S_ISREG(status.st_mode);
        default: return false;
    }
}

}  // namespace faults

namespace {

/// A function that moves bytes: `move` moves the number that it is given.
template <class Move>
ssize_t transfer(call which, int file, direction where, std::size_t size, Move move) noexcept {
    const auto possible = [=](when condition) { return faults::can_be(condition, file, where, size); };
    const faults::fault* const hit = faults::ask(which, possible);
    if (!hit) return move(size);
    if (hit->how == manner::part) return move(faults::part_of(size));
    errno = hit->error;
    return -1;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const auto mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return faults::fails(call::open) ? -1 : real_open(path, flags, mode);
}

FILE* fopen(const char* path, const char* mode) {
    return faults::fails(call::fopen) ? nullptr : real_fopen(path, mode);
}

DIR* opendir(const char* path) { return faults::fails(call::opendir) ? nullptr : real_opendir(path); }

int shm_open(const char* name, int flags, mode_t mode) {
    return faults::fails(call::shm_open) ? -1 : real_shm_open(name, flags, mode);
}

int memfd_create(const char* name, unsigned flags) noexcept {
    return faults::fails(call::memfd_create) ? -1 : real_memfd_create(name, flags);
}

int pipe2(int* ends, int flags) noexcept { return faults::fails(call::pipe2) ? -1 : real_pipe2(ends, flags); }

int fcntl(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void* const argument = va_arg(rest, void*);  // or a number, in the same place
    va_end(rest);
    if (command == F_DUPFD_CLOEXEC && faults::fails(call::fcntl_dupfd)) return -1;
    if (command == F_SETPIPE_SZ && faults::fails(call::fcntl_setpipe_sz)) return -1;
    if (command == F_SETFL && (reinterpret_cast<std::uintptr_t>(argument) & O_DIRECT)) {
        if (faults::fails(call::fcntl_setfl)) return -1;
        faults::remember_packet_pipe(file);
    }
    return real_fcntl(file, command, argument);
}

int dup2(int from, int to) noexcept { return faults::fails(call::dup2) ? -1 : real_dup2(from, to); }

int fstat(int file, struct stat* status) noexcept {
    return faults::fails(call::fstat) ? -1 : real_fstat(file, status);
}

int stat(const char* path, struct stat* status) noexcept {
    return faults::fails(call::stat) ? -1 : real_stat(path, status);
}

int ftruncate(int file, off_t size) noexcept {
    return faults::fails(call::ftruncate) ? -1 : real_ftruncate(file, size);
}

int fallocate(int file, int mode, off_t offset, off_t size) {
    return faults::fails(call::fallocate) ? -1 : real_fallocate(file, mode, offset, size);
}

ssize_t read(int file, void* to, size_t size) {
    return transfer(call::read, file, direction::in, size,
                    [=](size_t bytes) { return real_read(file, to, bytes); });
}

ssize_t pread(int file, void* to, size_t size, off_t offset) {
    return faults::fails(call::pread) ? -1 : real_pread(file, to, size, offset);
}

ssize_t write(int file, const void* from, size_t size) {
    return transfer(call::write, file, direction::out, size,
                    [=](size_t bytes) { return real_write(file, from, bytes); });
}

ssize_t writev(int file, const iovec* parts, int count) {
    size_t size = 0;
    for (int i = 0; i < count; ++i) size += parts[i].iov_len;
    return transfer(call::writev, file, direction::out, size, [=](size_t bytes) -> ssize_t {
        if (bytes == size) return real_writev(file, parts, count);
        // The first piece that is not empty, or its beginning.
        const iovec* first = parts;
        while (first->iov_len == 0) ++first;
        return real_write(file, first->iov_base, bytes < first->iov_len ? bytes : first->iov_len);
    });
}

}  // extern "C"
