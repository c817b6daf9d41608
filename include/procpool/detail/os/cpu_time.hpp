// SPDX-License-Identifier: MIT
// The CPU time that processes have taken.
#ifndef PROCPOOL_DETAIL_OS_CPU_TIME_HPP
#define PROCPOOL_DETAIL_OS_CPU_TIME_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/cpu_time.hpp"
#else
#include "procpool/detail/os/linux/cpu_time.hpp"
#endif

#endif
