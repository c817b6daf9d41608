// SPDX-License-Identifier: MIT
// What a process may use: memory, CPU, priority; and how much memory it uses.
#ifndef PROCPOOL_DETAIL_OS_LIMITS_HPP
#define PROCPOOL_DETAIL_OS_LIMITS_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/limits.hpp"
#else
#include "procpool/detail/os/linux/limits.hpp"
#endif

#endif
