// SPDX-License-Identifier: MIT
// Pipes that carry packets: each is written and read whole or not at all, whoever dies.
//
// Other processes open an end by a handle, as /proc/PID/fd/N, which works for pipes and not for sockets.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PACKET_PIPE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PACKET_PIPE_HPP

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/foreign_file.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::os {

/// The kernel writes so many bytes at once, and no more.
inline constexpr std::size_t packet_size = PIPE_BUF;

/// How another process finds an end: it opens /proc/`pid`/fd/`file` and checks what it got.
struct pipe_handle {
    std::int64_t pid = 0;
    std::int64_t file = -1;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
};

inline pipe_handle handle_of(const fd& end) {
    struct stat status{};
    checked(::fstat(end.get(), &status), "fstat (a pipe)");
    return {current_pid(), end.get(), status.st_dev, status.st_ino};
}

/// A read doesn't wait, a write does.
inline pipe_ends make_packet_pipe() {
    pipe_ends ends = make_pipe();
    // Holds 256 packets; refused to users who have much in pipes already, and 16 will do.
    ::fcntl(ends.write.get(), F_SETPIPE_SZ, 1 << 20);
    checked(::fcntl(ends.write.get(), F_SETFL, O_DIRECT), "fcntl (a pipe for packets)");
    set_nonblocking(ends.read);
    return ends;
}

enum class pipe_end { read, write };

/// @throws SerializationError if it isn't there any more
inline fd open_packet_pipe(const pipe_handle& wanted, pipe_end which) {
    const std::string path = "/proc/" + std::to_string(wanted.pid) + "/fd/" + std::to_string(wanted.file);
    const auto is_meant = [&](const struct stat& status) {
        return S_ISFIFO(status.st_mode) && status.st_dev == wanted.device && status.st_ino == wanted.inode;
    };
    const auto no_fork = fd_registry::instance().hold_forks();
    struct stat status{};
    // The number may mean a device by now, which it would be wrong to open.
    int error = ENOENT;
    if (::stat(path.c_str(), &status) != 0) {
        error = errno;
    } else if (is_meant(status)) {
        fd end(
            ::open(path.c_str(), O_CLOEXEC | (which == pipe_end::read ? O_RDONLY | O_NONBLOCK : O_WRONLY)));
        if (!end)
            error = errno;
        else if (::fstat(end.get(), &status) == 0 && is_meant(status)) {
            if (which == pipe_end::write)
                checked(::fcntl(end.get(), F_SETFL, O_DIRECT), "fcntl (a pipe for packets)");
            return end;
        }
    }
    throw SerializationError("procpool: a Connection, sent by process " + std::to_string(wanted.pid) +
                             ", can't be opened: " + why_not_opened(wanted.pid, error));
}

/// Writes to a pipe that nobody reads any more fail, and raise no signal. For the calling thread.
class no_sigpipe {
public:
    no_sigpipe() noexcept {
        ::sigemptyset(&pipe_);
        ::sigaddset(&pipe_, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    no_sigpipe(const no_sigpipe&) = delete;
    no_sigpipe& operator=(const no_sigpipe&) = delete;
    ~no_sigpipe() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

    /// After a write that has failed so: takes back its signal, unless the program itself had blocked it.
    void take_back() const noexcept {
        if (::sigismember(&before_, SIGPIPE) == 1) return;
        constexpr timespec at_once{};
        while (::sigtimedwait(&pipe_, nullptr, &at_once) == -1 && errno == EINTR) {
        }
    }

private:
    sigset_t pipe_{};
    sigset_t before_{};
};

/// Packets that one call writes, which wakes the reader once. The kernel splits what is longer than a packet
/// into packets of a page each.
inline std::size_t packets_at_once() {
    constexpr std::size_t most = 32;
    return page_size() == packet_size ? most : 1;
}

/// Writes packets, all but the last of full size, as soon as there is room. @return how many; 0 if nobody
/// reads any more
inline std::size_t write_packets(const fd& end, std::span<const piece> parts) {
    const transfer done = write_some(end, parts.data(), static_cast<int>(parts.size()));
    return (done.bytes + packet_size - 1) / packet_size;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
