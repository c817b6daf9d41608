// SPDX-License-Identifier: MIT
// Process ids as users get them.
#ifndef PROCPOOL_DETAIL_OS_PID_HPP
#define PROCPOOL_DETAIL_OS_PID_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/pid.hpp"
#else
#include "procpool/detail/os/linux/pid.hpp"
#endif

#endif
