// SPDX-License-Identifier: MIT
// Shared memory that has a name, for as long as somebody has it open.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_NAMED_MEMORY_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_NAMED_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

/// The name goes with the last who has it: there is nothing to remove. @return 0, which is no error
inline int remove_named_memory(const std::string& /*name*/) noexcept { return 0; }

/// New memory under a name that starts with '/', zeros; empty if that is taken. @throws std::system_error
inline fd create_named_memory(const std::string& name, std::size_t size) {
    fd file(::CreateFileMappingW(api::invalid_handle, nullptr, api::page_read_write,
                                 static_cast<unsigned long>(std::uint64_t{size} >> 32),
                                 static_cast<unsigned long>(size), widened(name.substr(1)).c_str()));
    const unsigned long error = ::GetLastError();
    if (!file) throw_error(error, "shared memory " + name + " of " + std::to_string(size) + " bytes");
    if (error == api::error_already_exists) return {};
    return file;
}

/// The memory that has a name, and its size, in whole pages. @throws std::system_error
inline std::pair<fd, std::size_t> open_named_memory(const std::string& name) {
    fd file(::OpenFileMappingW(api::map_read | api::map_write, 0, widened(name.substr(1)).c_str()));
    if (!file) {
        const unsigned long error = ::GetLastError();
        throw_error(error, "OpenFileMapping (" + name + ")");
    }
    const std::size_t size = file_size(file);
    return {std::move(file), size};
}

}  // namespace procpool::inline v0_1::detail::os

#endif
