// SPDX-License-Identifier: MIT
// The program that this process runs: its file, and what stands on its command line.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PROGRAM_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PROGRAM_HPP

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

/// The file of this program; "?" if it can't be told.
inline std::string own_executable() {
    std::wstring path(32768, L'\0');
    path.resize(::GetModuleFileNameW(nullptr, path.data(), static_cast<unsigned long>(path.size())));
    return path.empty() ? "?" : narrowed(path);
}

/// The name of the machine; "?" if it can't be read.
inline std::string host_name() {
    std::array<wchar_t, 256> name{};
    unsigned long size = name.size();
    return ::GetComputerNameW(name.data(), &size) ? narrowed({name.data(), size}) : "?";
}

/// The arguments of this process, its name first; none if they can't be read.
inline std::vector<std::string> own_arguments() {
    if (!__argv) return {};
    return {__argv, __argv + __argc};
}

/// No program has other rights than who has started it, unless a person was asked.
inline bool has_raised_rights() noexcept { return false; }

/// @throws std::system_error if there is no such file; `what` says for whom
inline void require_executable(const std::string& file, const char* what) {
    if (::GetFileAttributesW(widened(file).c_str()) != api::invalid_attributes) return;
    const unsigned long error = ::GetLastError();
    throw_error(error, what + (" (" + file + ")"));
}

}  // namespace procpool::inline v0_1::detail::os

#endif
