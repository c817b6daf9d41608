// SPDX-License-Identifier: MIT
// Files that are written from their beginning.
#ifndef PROCPOOL_DETAIL_OS_LINUX_NEW_FILE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_NEW_FILE_HPP

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"

namespace procpool::inline v0_1::detail::os {

/// Opens a file to write to, in place of what it had. @throws std::system_error
inline fd new_file(const std::string& path) {
    constexpr mode_t mode = 0666;
    return fd(checked(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode),
                      ("open (" + path + ", to write it)").c_str()));
}

/// The same for this user alone, in place of what has that name. @throws std::system_error
inline fd new_private_file(const std::string& path) {
    constexpr mode_t mode = 0600;
    ::unlink(path.c_str());  // if that fails, so does the next
    return fd(checked(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode),
                      ("open (" + path + ", to write it)").c_str()));
}

}  // namespace procpool::inline v0_1::detail::os

#endif
