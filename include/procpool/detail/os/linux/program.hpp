// SPDX-License-Identifier: MIT
// The program that this process runs: its file, its arguments, its rights, and those that a run of a file
// would have.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PROGRAM_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PROGRAM_HPP

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

#include "procpool/detail/os/error.hpp"

namespace procpool::inline v0_1::detail::os {

/// The arguments of this process, its name first; none if they can't be read.
inline std::vector<std::string> own_arguments() {
    std::string line;
    const int file = ::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (file < 0) return {};
    std::array<char, 4096> part{};
    for (;;) {
        const auto size = retry_on_eintr([&] { return ::read(file, part.data(), part.size()); });
        if (size <= 0) break;
        line.append(part.data(), static_cast<std::size_t>(size));
    }
    ::close(file);
    std::vector<std::string> arguments;
    for (std::size_t at = 0; at < line.size(); at += arguments.back().size() + 1)
        arguments.emplace_back(line.c_str() + at);
    return arguments;
}

/// The file of this program; "?" if it can't be read.
inline std::string own_executable() {
    std::array<char, 4096> path{};
    const auto size = ::readlink("/proc/self/exe", path.data(), path.size());
    return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : "?";
}

/// The name of the machine; "?" if it can't be read.
inline std::string host_name() {
    std::array<char, 256> name{};  // HOST_NAME_MAX is 64
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "?";
}

/// Whether this program runs with other rights than those of who has started it.
inline bool has_raised_rights() noexcept { return ::getauxval(AT_SECURE) != 0; }

/// Whether a run of `file` would have: the kernel would give it other rights than this process has by its
/// real ids. The file may be set-user-id also where this process has given the rights up.
inline bool would_change_rights(const char* file) noexcept {
    struct stat status{};
    if (::stat(file, &status) != 0) status = {};
    const uid_t user = status.st_mode & S_ISUID ? status.st_uid : ::geteuid();
    const gid_t group = status.st_mode & S_ISGID ? status.st_gid : ::getegid();
    return user != ::getuid() || group != ::getgid() ||
           (user != 0 && ::getxattr(file, "security.capability", nullptr, 0) > 0);
}

/// @throws std::system_error if the file can't be executed; `what` says for whom
inline void require_executable(const std::string& file, const char* what) {
    if (::access(file.c_str(), X_OK) != 0) throw_system_error(errno, what + (" (" + file + ")"));
}

}  // namespace procpool::inline v0_1::detail::os

#endif
