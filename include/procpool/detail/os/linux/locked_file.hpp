// SPDX-License-Identifier: MIT
// A file that one program has for itself, and how others read it.
#ifndef PROCPOOL_DETAIL_OS_LINUX_LOCKED_FILE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_LOCKED_FILE_HPP

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"

namespace procpool::inline v0_1::detail::os {

/// Tells files apart, whatever names they have.
struct file_identity {
    std::uint64_t device = 0;
    std::uint64_t number = 0;
    bool operator==(const file_identity&) const noexcept = default;
};

struct file_status {
    file_identity identity;
    std::uint64_t size = 0;
    bool is_regular = false;
    bool is_own = false;  // this user's
};

/// Opens a file to read and write it, and makes it if there is none. @throws std::system_error
inline fd open_or_make_file(const std::string& path) {
    constexpr mode_t mode = 0666;
    const auto no_fork = fd_registry::instance().hold_forks();
    return fd(checked(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, mode),
                      ("open (" + path + ")").c_str()));
}
/// @throws std::system_error
inline fd open_to_read(const std::string& path) {
    const auto no_fork = fd_registry::instance().hold_forks();
    return fd(checked(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK),
                      ("open (" + path + ")").c_str()));
}

inline file_status status_of(const fd& file) {
    struct stat status{};
    checked(::fstat(file.get(), &status), "fstat");
    return {.identity = {.device = status.st_dev, .number = status.st_ino},
            .size = static_cast<std::uint64_t>(status.st_size),
            .is_regular = S_ISREG(status.st_mode),
            .is_own = status.st_uid == ::geteuid()};
}

/// Takes the lock of a file until it is closed. @return whether nobody else has it
/// @throws std::system_error if this file system has no locks
inline bool lock_file(const fd& file) {
    if (retry_on_eintr([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    throw_system_error(errno, "flock");
}

/// @return how many bytes there were, fewer at the end of the file. @throws std::system_error
inline std::size_t read_at(const fd& file, std::uint64_t offset, std::byte* to, std::size_t size) {
    std::size_t got = 0;
    while (got < size) {
        const auto n = retry_on_eintr(
            [&] { return ::pread(file.get(), to + got, size - got, static_cast<off_t>(offset + got)); });
        if (checked(n, "pread") == 0) break;
        got += static_cast<std::size_t>(n);
    }
    return got;
}

/// Writes all of it. @return what is wrong, as errno; 0 if nothing is
inline int write_at(const fd& file, std::uint64_t offset, std::span<const std::byte> bytes) noexcept {
    while (!bytes.empty()) {
        const auto n = retry_on_eintr(
            [&] { return ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
        if (n < 0) return errno;
        if (n == 0) return EIO;
        offset += static_cast<std::uint64_t>(n);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return 0;
}

/// What was written is on the disk when this returns. @return what is wrong, as errno; 0 if nothing is
inline int sync_data(const fd& file) noexcept {
    return retry_on_eintr([&] { return ::fdatasync(file.get()); }) == 0 ? 0 : errno;
}

/// Cuts off what is behind. @return what is wrong, as errno; 0 if nothing is
inline int cut_file(const fd& file, std::uint64_t size) noexcept {
    return retry_on_eintr([&] { return ::ftruncate(file.get(), static_cast<off_t>(size)); }) == 0 ? 0 : errno;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
