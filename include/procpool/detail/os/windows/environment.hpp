// SPDX-License-Identifier: MIT
// The environment variables of this process.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_ENVIRONMENT_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_ENVIRONMENT_HPP

#include <direct.h>
#include <algorithm>

#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

/// All variables, NAME=value.
inline std::vector<std::string> environment() {
    std::vector<std::string> all;
    wchar_t* const block = ::GetEnvironmentStringsW();
    if (!block) return all;
    for (const wchar_t* at = block; *at != L'\0';) {
        const std::wstring_view one(at);
        all.push_back(narrowed(one));
        at += one.size() + 1;
    }
    ::FreeEnvironmentStringsW(block);
    return all;
}
/// As the system takes them for a new process: sorted, each with a zero behind it, and another one.
inline std::wstring environment_block(std::vector<std::string> variables) {
    std::sort(variables.begin(), variables.end());
    std::wstring block;
    for (const std::string& one : variables) block.append(widened(one)).push_back(L'\0');
    block.push_back(L'\0');
    return block;
}

/// Removes all variables whose name begins with one of `prefixes`.
inline void remove_variables(std::span<const std::string_view> prefixes) noexcept {
    try {
        for (const std::string& variable : environment())
            if (std::ranges::any_of(prefixes, [&](auto prefix) { return variable.starts_with(prefix); }))
                ::SetEnvironmentVariableW(widened(variable.substr(0, variable.find('=', 1))).c_str(),
                                          nullptr);
    } catch (...) {  // then they stay
    }
}

/// Whether this process has a variable of that name.
inline bool has_variable(const char* name) noexcept { return std::getenv(name) != nullptr; }

/// Gives this process these, NAME=value, besides those that it has.
inline void replace_environment(const std::vector<std::string>& variables) {
    for (const std::string& one : variables) ::_putenv(one.c_str());
}

/// False if it can't.
inline bool change_directory(const char* to) noexcept { return ::_chdir(to) == 0; }

inline bool is_directory(const std::string& path) {
    const unsigned long attributes = ::GetFileAttributesW(widened(path).c_str());
    return attributes != api::invalid_attributes && (attributes & api::attribute_directory) != 0;
}

/// The whole path of a directory. @throws std::system_error if there is none; `what` says for whom
inline std::string absolute_directory(const std::string& path, const char* what) {
    const std::wstring wide = widened(path);
    const unsigned long attributes = ::GetFileAttributesW(wide.c_str());
    if (attributes == api::invalid_attributes) {
        const unsigned long error = ::GetLastError();
        throw_error(error, what + (" (" + path + ")"));
    }
    if (!(attributes & api::attribute_directory))
        throw_error(api::error_directory, what + (" (" + path + ")"));
    std::wstring whole(32768, L'\0');
    whole.resize(
        ::GetFullPathNameW(wide.c_str(), static_cast<unsigned long>(whole.size()), whole.data(), nullptr));
    return narrowed(whole);
}

/// Sets an environment variable of this process that has no value yet.
inline void set_default_variable(const char* name, const char* value) {
    if (has_variable(name)) return;
    succeed(::SetEnvironmentVariableW(widened(name).c_str(), widened(value).c_str()),
            "SetEnvironmentVariable");
}

}  // namespace procpool::inline v0_1::detail::os

#endif
