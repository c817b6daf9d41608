// SPDX-License-Identifier: MIT
// A failed system call as an exception that names the call and its object.
#ifndef PROCPOOL_DETAIL_OS_LINUX_ERROR_HPP
#define PROCPOOL_DETAIL_OS_LINUX_ERROR_HPP

#include <cerrno>
#include <string>
#include <system_error>

namespace procpool::inline v0_1::detail::os {

[[noreturn]] inline void throw_system_error(int error, const std::string& what) {
    throw std::system_error(error, std::generic_category(), "procpool: " + what);
}

/// Returns `result`, or throws std::system_error if it is -1.
template <class Result>
Result checked(Result result, const char* what) {
    if (result == static_cast<Result>(-1)) throw_system_error(errno, what);
    return result;
}

/// Calls `call` again for as long as a signal interrupts it.
template <class Call>
auto retry_on_eintr(Call call) {
    decltype(call()) result;
    do result = call();
    while (result == -1 && errno == EINTR);
    return result;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
