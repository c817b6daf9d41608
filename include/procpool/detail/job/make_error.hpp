// SPDX-License-Identifier: MIT
// Errors for results that nobody waits for any more, where nothing may be thrown.
#ifndef PROCPOOL_DETAIL_JOB_MAKE_ERROR_HPP
#define PROCPOOL_DETAIL_JOB_MAKE_ERROR_HPP

#include <exception>

namespace procpool::inline v0_1::detail::job {

/// An `Error` with this text, or what keeps it from being made: memory may be short.
template <class Error>
std::exception_ptr make_error(const char* text) noexcept {
    try {
        return std::make_exception_ptr(Error(text));
    } catch (...) {
        return std::current_exception();
    }
}

}  // namespace procpool::inline v0_1::detail::job

#endif
