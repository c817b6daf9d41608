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

/// Sets an environment variable of this process that has no value yet. No other thread may use it meanwhile.
inline void set_default_variable(const char* name, const char* value) {
    checked(::setenv(name, value, 0), "setenv");
}

}  // namespace procpool::inline v0_1::detail::os

#endif
