// SPDX-License-Identifier: MIT
// What signals do in this process, and which are blocked. Their numbers have the system's own names.
#ifndef PROCPOOL_DETAIL_OS_SIGNAL_HPP
#define PROCPOOL_DETAIL_OS_SIGNAL_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/signal.hpp"
#else
#include "procpool/detail/os/linux/signal.hpp"
#endif

#endif
