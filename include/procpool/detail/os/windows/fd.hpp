// SPDX-License-Identifier: MIT
// The owner of a handle.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_FD_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_FD_HPP

#include <memory>
#include <utility>

#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/watchable.hpp"

namespace procpool::inline v0_1::detail::os {

/// How the system knows a file, a pipe's end, a process.
using native_file = void*;
inline constexpr native_file no_file = nullptr;

/// The only owner of a handle, or of what a poller can watch; empty after a move. No child inherits it.
class fd {
public:
    fd() noexcept = default;
    /// Takes `value` over; null, and what the system returns for a failure, make an empty fd.
    explicit fd(native_file value) noexcept : value_(value == api::invalid_handle ? nullptr : value) {}
    explicit fd(std::shared_ptr<watchable> what) noexcept : what_(std::move(what)) {}
    fd(fd&& other) noexcept
        : value_(std::exchange(other.value_, nullptr)), what_(std::exchange(other.what_, nullptr)) {}
    fd& operator=(fd&& other) noexcept {
        std::swap(value_, other.value_);
        std::swap(what_, other.what_);
        return *this;
    }
    ~fd() { reset(); }

    /// Null if it is what a poller can watch.
    native_file get() const noexcept { return value_; }
    const std::shared_ptr<watchable>& watched() const noexcept { return what_; }
    explicit operator bool() const noexcept { return value_ || what_; }
    /// Gives the handle away.
    native_file release() noexcept { return std::exchange(value_, nullptr); }
    void reset() noexcept {
        if (what_) std::exchange(what_, nullptr)->close();
        if (value_) ::CloseHandle(std::exchange(value_, nullptr));
    }

private:
    native_file value_ = nullptr;
    std::shared_ptr<watchable> what_;
};

/// Another handle for the same object. @throws std::system_error
inline fd copy_of(const fd& file) {
    native_file copy = nullptr;
    if (file.get())
        succeed(::DuplicateHandle(::GetCurrentProcess(), file.get(), ::GetCurrentProcess(), &copy, 0, 0,
                                  api::duplicate_same_access),
                "DuplicateHandle");
    return fd(copy);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
