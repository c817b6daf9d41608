// SPDX-License-Identifier: MIT
// Shared memory that has a name, and so stays until that is removed.
#ifndef PROCPOOL_DETAIL_OS_LINUX_NAMED_MEMORY_HPP
#define PROCPOOL_DETAIL_OS_LINUX_NAMED_MEMORY_HPP

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

#include "procpool/detail/os/available_memory.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/memfd.hpp"

namespace procpool::inline v0_1::detail::os {

/// Removes a name; whoever has the memory mapped keeps it. @return the error, or 0
inline int remove_named_memory(const std::string& name) noexcept {
    return ::shm_unlink(name.c_str()) == 0 ? 0 : errno;
}

/// New memory under a name that starts with '/', zeros; empty if that is taken.
/// @throws std::system_error, also if there is no room for so many bytes
inline fd create_named_memory(const std::string& name, std::size_t size) {
    require_file_size(size);
    if (!has_memory_for(size))
        throw_system_error(ENOMEM, "shared memory " + name + " of " + std::to_string(size) + " bytes");
    const auto no_fork = fd_registry::instance().hold_forks();
    const int number = ::shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (number < 0 && errno == EEXIST) return {};
    checked(number, "shm_open");
    fd file;
    try {
        file = fd(number);
    } catch (...) {
        remove_named_memory(name);
        throw;
    }
    // Otherwise to write to it where there is no room is a SIGBUS.
    if (::ftruncate(file.get(), static_cast<off_t>(size)) == 0 &&
        retry_on_eintr([&] { return ::fallocate(file.get(), 0, 0, static_cast<off_t>(size)); }) == 0)
        return file;
    const int error = errno;
    remove_named_memory(name);
    throw_system_error(error, "shared memory " + name + " of " + std::to_string(size) + " bytes");
}

/// The memory that has a name, and its size.
/// @throws std::system_error
inline std::pair<fd, std::size_t> open_named_memory(const std::string& name) {
    const auto no_fork = fd_registry::instance().hold_forks();
    const int number = ::shm_open(name.c_str(), O_RDWR | O_CLOEXEC, 0600);
    if (number < 0) throw_system_error(errno, "shm_open (" + name + ")");
    fd file(number);
    struct stat status{};
    checked(::fstat(file.get(), &status), "fstat (shared memory)");
    return {std::move(file), static_cast<std::size_t>(status.st_size)};
}

}  // namespace procpool::inline v0_1::detail::os

#endif
