// SPDX-License-Identifier: MIT
// A failed system call as an exception that names the call and its object.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_ERROR_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_ERROR_HPP

#include <cerrno>
#include <string>
#include <system_error>

#include "procpool/detail/os/windows/api.hpp"

namespace procpool::inline v0_1::detail::os {

/// `error` is one of <cerrno>.
[[noreturn]] inline void throw_system_error(int error, const std::string& what) {
    throw std::system_error(error, std::generic_category(), "procpool: " + what);
}

/// As std::errc names it, where it has a name there, so that programs find the same on all systems; else the
/// system's own.
inline std::error_code code_of(unsigned long error) noexcept {
    const auto portable = [](std::errc code) { return std::make_error_code(code); };
    switch (error) {
        case api::error_not_enough_memory:
        case api::error_out_of_memory:
        case api::error_no_system_resources:
        case api::error_commitment_limit: return portable(std::errc::not_enough_memory);
        case api::error_file_not_found:
        case api::error_bad_pathname:
        case api::error_path_not_found: return portable(std::errc::no_such_file_or_directory);
        case api::error_already_exists:
        case api::error_file_exists: return portable(std::errc::file_exists);
        case api::error_access_denied: return portable(std::errc::permission_denied);
        case api::error_too_many_open: return portable(std::errc::too_many_files_open);
        case api::error_disk_full: return portable(std::errc::no_space_on_device);
        case api::error_directory: return portable(std::errc::not_a_directory);
        default: return {static_cast<int>(error), std::system_category()};
    }
}

/// As errno, which other systems tell.
inline int errno_of(unsigned long error) noexcept {
    const std::error_code code = code_of(error);
    return code.category() == std::generic_category() ? code.value() : EIO;
}

[[noreturn]] inline void throw_error(unsigned long error, const std::string& what) {
    throw std::system_error(code_of(error), "procpool: " + what);
}
/// `what` may be made of text, which must not change what GetLastError() says.
[[noreturn]] inline void throw_last_error(const char* what) {
    const unsigned long error = ::GetLastError();
    throw_error(error, what);
}

/// Throws std::system_error if a call has failed.
inline void succeed(int result, const char* what) {
    if (!result) throw_last_error(what);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
