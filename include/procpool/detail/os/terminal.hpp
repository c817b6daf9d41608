// SPDX-License-Identifier: MIT
// The terminal that a stream of this process may be.
#ifndef PROCPOOL_DETAIL_OS_TERMINAL_HPP
#define PROCPOOL_DETAIL_OS_TERMINAL_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/terminal.hpp"
#else
#include "procpool/detail/os/linux/terminal.hpp"
#endif

#endif
