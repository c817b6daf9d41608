// SPDX-License-Identifier: MIT
// Files that are written from their beginning.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_NEW_FILE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_NEW_FILE_HPP

#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

/// Opens a file to write to, in place of what it had. @throws std::system_error
inline fd new_file(const std::string& path) {
    fd file(::CreateFileW(widened(path).c_str(), api::generic_write, api::share_all, nullptr,
                          api::create_always, api::attribute_normal, nullptr));
    if (file) return file;
    const unsigned long error = ::GetLastError();
    throw_error(error, "open (" + path + ", to write it)");
}

/// The same; who else may read it, the folder says. @throws std::system_error
inline fd new_private_file(const std::string& path) { return new_file(path); }

}  // namespace procpool::inline v0_1::detail::os

#endif
