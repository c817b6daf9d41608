// SPDX-License-Identifier: MIT
// Pipes: two ends, and reads and writes that say what happened.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PIPE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PIPE_HPP

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/piece.hpp"
#include "procpool/detail/os/readable.hpp"

namespace procpool::inline v0_1::detail::os {

struct pipe_ends {
    fd read;
    fd write;
};

inline pipe_ends make_pipe() {
    const auto no_fork = fd_registry::instance().hold_forks();
    int ends[2];
    checked(::pipe2(ends, O_CLOEXEC), "pipe2 (a worker's pipe)");
    auto [read, write] = own_both(ends);
    return {std::move(read), std::move(write)};
}

inline void set_nonblocking(const fd& file) {
    const int flags = checked(::fcntl(file.get(), F_GETFL), "fcntl(F_GETFL)");
    checked(::fcntl(file.get(), F_SETFL, flags | O_NONBLOCK), "fcntl(F_SETFL)");
}

/// What one read or write did: `bytes` moved, or `would_block`, or the end (`closed`).
struct transfer {
    std::size_t bytes = 0;
    bool would_block = false;
    bool closed = false;
};

inline transfer read_some(const fd& file, std::byte* to, std::size_t size) {
    const auto n = retry_on_eintr([&] { return ::read(file.get(), to, size); });
    if (n > 0) return {.bytes = static_cast<std::size_t>(n)};
    if (n == 0) return {.closed = true};
    if (errno == EAGAIN) return {.would_block = true};
    throw_system_error(errno, "read (a pipe)");
}

/// After a process has ended whose writes are read here: waits until more of them is here. All is: false.
inline bool await_remains(const fd& /*file*/) noexcept { return false; }

/// All that comes until its end.
inline std::string read_to_end(const fd& file) {
    std::string text;
    std::array<std::byte, 4096> room;
    for (;;) {
        const transfer got = read_some(file, room.data(), room.size());
        if (got.closed) return text;
        text.append(reinterpret_cast<const char*>(room.data()), got.bytes);
    }
}

inline transfer write_some(const fd& file, const piece* parts, int count) {
    const auto n = retry_on_eintr([&] { return ::writev(file.get(), parts, count); });
    if (n >= 0) return {.bytes = static_cast<std::size_t>(n)};
    if (errno == EAGAIN) return {.would_block = true};
    if (errno == EPIPE) return {.closed = true};
    throw_system_error(errno, "write (a pipe)");
}

/// What a pipe takes that poll calls writable.
inline constexpr std::size_t never_blocks = 4096;

/// Writes a piece, of `most` bytes, to what others write to as well, so that it can't be set nonblocking;
/// never waits all the same. After any failure that stays it is `closed`.
inline transfer write_without_waiting(int file, std::string_view text,
                                      std::size_t most = never_blocks) noexcept {
    if (wait_writable(file, 0) == wait_end::timed_out) return {.would_block = true};
    const auto n = retry_on_eintr([&] { return ::write(file, text.data(), std::min(text.size(), most)); });
    if (n > 0) return {.bytes = static_cast<std::size_t>(n)};
    if (n < 0 && errno == EAGAIN) return {.would_block = true};
    return {.closed = true};
}

/// Bytes that were written and nobody has read; the largest number if that can't be known.
inline std::size_t unread(const fd& pipe) noexcept {
    int bytes = 0;
    if (::ioctl(pipe.get(), FIONREAD, &bytes) != 0) return ~std::size_t{0};
    return static_cast<std::size_t>(bytes);
}

/// Writes all of it, blocking; false if nobody reads any more.
inline bool write_all(const fd& file, const std::byte* from, std::size_t size) {
    while (size > 0) {
        const piece part = make_piece(from, size);
        const transfer done = write_some(file, &part, 1);
        if (done.closed) return false;
        from += done.bytes;
        size -= done.bytes;
    }
    return true;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
