// SPDX-License-Identifier: MIT
// The owner of a file descriptor.
#ifndef PROCPOOL_DETAIL_OS_LINUX_FD_HPP
#define PROCPOOL_DETAIL_OS_LINUX_FD_HPP

#include <utility>

#include "procpool/detail/os/fork_stamp.hpp"

namespace procpool::inline v0_1::detail::os {

/// How the system knows a file, a pipe's end, a process.
using native_file = int;
inline constexpr native_file no_file = -1;

/// The only owner of a descriptor; empty after a move. No forked child inherits it by accident (see
/// fd_registry.hpp).
class fd {
public:
    fd() noexcept = default;
    /// Takes `value` over; -1 makes an empty fd. None has the number of a standard stream, which in a program
    /// that has closed those would be written to by whoever prints.
    explicit fd(int value);
    fd(fd&& other) noexcept : value_(std::exchange(other.value_, -1)), made_(other.made_) {}
    fd& operator=(fd&& other) noexcept;
    ~fd() { reset(); }

    int get() const noexcept { return value_; }
    explicit operator bool() const noexcept { return value_ >= 0; }

    void reset() noexcept {
        if (value_ >= 0) close();
    }

private:
    void close() noexcept;

    int value_ = -1;
    fork_stamp made_;
};

/// Owns both ends of something; if that fails, both are closed.
std::pair<fd, fd> own_both(const int (&ends)[2]);

}  // namespace procpool::inline v0_1::detail::os

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/os/linux/fd_impl.hpp"
#endif

#endif
