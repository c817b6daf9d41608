// SPDX-License-Identifier: MIT
// What Ctrl-C does in this process; there are no other signals, and no masks.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_SIGNAL_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_SIGNAL_HPP

#include "procpool/detail/os/windows/api.hpp"

namespace procpool::inline v0_1::detail::os {

/// A socket's other end may go without harm.
inline void survive_broken_connections() noexcept {}

/// What Ctrl-C means is for the program to decide.
inline void leave_interrupts_to_the_program() noexcept { ::SetConsoleCtrlHandler(nullptr, 1); }

class signal_mask {
public:
    static signal_mask of_this_thread() noexcept { return {}; }
    void apply() const noexcept {}
};

class signals_blocked {
public:
    signals_blocked() noexcept {}
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;
};

class signal_settings {
public:
    void restore() const noexcept {}
};

}  // namespace procpool::inline v0_1::detail::os

#endif
