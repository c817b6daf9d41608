// SPDX-License-Identifier: MIT
// How descriptors are taken over and closed.
#ifndef PROCPOOL_DETAIL_OS_LINUX_FD_IMPL_HPP
#define PROCPOOL_DETAIL_OS_LINUX_FD_IMPL_HPP

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"

namespace procpool::inline v0_1::detail::os {

inline int above_standard_streams(int value) {
    if (value < 0 || value > STDERR_FILENO) return value;
    const int other = ::fcntl(value, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    const int error = errno == EINVAL ? EMFILE : errno;  // there is no such number
    ::close(value);
    if (other < 0) throw_system_error(error, "fcntl (a descriptor's copy)");
    return other;
}

PROCPOOL_COMPILED_APART fd::fd(int value) : value_(above_standard_streams(value)) {
    if (value_ < 0) return;
    try {
        fd_registry::instance().add(value_);
    } catch (...) {
        ::close(value_);
        throw;
    }
}

PROCPOOL_COMPILED_APART fd& fd::operator=(fd&& other) noexcept {
    std::swap(value_, other.value_);
    std::swap(made_, other.made_);
    return *this;
}

PROCPOOL_COMPILED_APART void fd::close() noexcept {
    // In a child this is a copy whose number may by now mean something else.
    if (made_.is_here()) {
        // Or else a child that is forked between the two calls would keep it.
        const auto no_fork = fd_registry::instance().hold_forks();
        fd_registry::instance().remove(value_);
        ::close(value_);
    }
    value_ = -1;
}

PROCPOOL_COMPILED_APART std::pair<fd, fd> own_both(const int (&ends)[2]) {
    fd second;
    try {
        second = fd(ends[1]);
    } catch (...) {
        ::close(ends[0]);
        throw;
    }
    return {fd(ends[0]), std::move(second)};
}

}  // namespace procpool::inline v0_1::detail::os

#endif
