// SPDX-License-Identifier: MIT
// The end of a process that leaves by itself: what it has written is out.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PEACEFUL_EXIT_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PEACEFUL_EXIT_HPP

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"

namespace procpool::inline v0_1::detail::os {

template <class = only_if_used>
[[noreturn]] void leave_in_peace(int code) noexcept {
    exit_process(code);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
