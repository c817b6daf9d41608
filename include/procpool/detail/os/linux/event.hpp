// SPDX-License-Identifier: MIT
// A doorbell that a poller can watch.
#ifndef PROCPOOL_DETAIL_OS_LINUX_EVENT_HPP
#define PROCPOOL_DETAIL_OS_LINUX_EVENT_HPP

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"

namespace procpool::inline v0_1::detail::os {

class event {
public:
    event() {
        const auto no_fork = fd_registry::instance().hold_forks();
        file_ = fd(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
    }

    void ring() noexcept {
        const std::uint64_t one = 1;
        // Fails only if the counter is full, and then the bell rings already.
        [[maybe_unused]] const auto n = ::write(file_.get(), &one, sizeof one);
    }

    void silence() noexcept {
        std::uint64_t count;
        [[maybe_unused]] const auto n = ::read(file_.get(), &count, sizeof count);
    }

    const fd& file() const noexcept { return file_; }

private:
    fd file_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
