// SPDX-License-Identifier: MIT
// The environment variables of this process.
#ifndef PROCPOOL_DETAIL_OS_LINUX_ENVIRONMENT_HPP
#define PROCPOOL_DETAIL_OS_LINUX_ENVIRONMENT_HPP

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/os/error.hpp"

namespace procpool::inline v0_1::detail::os {

/// Removes all variables whose name begins with one of `prefixes`. For a process that has one thread: unlike
/// unsetenv() it takes no lock, which a fork may have copied locked.
inline void remove_variables(std::span<const std::string_view> prefixes) noexcept {
    if (!environ) return;
    char** kept = environ;
    for (char** one = environ; *one; ++one) {
        const std::string_view variable = *one;
        if (std::ranges::none_of(prefixes, [=](auto prefix) { return variable.starts_with(prefix); }))
            *kept++ = *one;
    }
    *kept = nullptr;
}

/// All variables, NAME=value. No other thread may change them meanwhile.
inline std::vector<std::string> environment() {
    std::vector<std::string> all;
    for (char** one = environ; one && *one; ++one) all.emplace_back(*one);
    return all;
}

/// Gives this process these, NAME=value, in place of all that it has; without locks, as above.
inline void replace_environment(std::vector<std::string> variables) {
    struct kept {
        std::vector<std::string> text;
        std::vector<char*> pointers;
    };
    // For the rest of the process's life, and where a leak checker finds it when setenv() has moved
    // `environ`.
    static kept* now = nullptr;
    now = new kept{std::move(variables), {}};
    for (std::string& one : now->text) now->pointers.push_back(one.data());
    now->pointers.push_back(nullptr);
    environ = now->pointers.data();
}

/// Whether this process has a variable of that name.
inline bool has_variable(const char* name) noexcept { return ::getenv(name) != nullptr; }

/// False, and errno says why, if it can't. Safe between fork or vfork and exec.
inline bool change_directory(const char* to) noexcept { return ::chdir(to) == 0; }

/// The whole path of a directory. @throws std::system_error if there is none, or it can't be entered; `what`
/// says for whom
inline std::string absolute_directory(const std::string& path, const char* what) {
    struct stat status{};
    const std::string text = what + (" (" + path + ")");
    checked(::stat(path.c_str(), &status), text.c_str());
    if (!S_ISDIR(status.st_mode)) throw_system_error(ENOTDIR, text);
    checked(::access(path.c_str(), X_OK), text.c_str());
    char* const resolved = ::realpath(path.c_str(), nullptr);
    if (!resolved) throw_system_error(errno, text);
    std::string whole = resolved;
    ::free(resolved);
    return whole;
}

/// Sets an environment variable of this process that has no value yet. No other thread may use it meanwhile.
inline void set_default_variable(const char* name, const char* value) {
    checked(::setenv(name, value, 0), "setenv");
}

}  // namespace procpool::inline v0_1::detail::os

#endif
