// SPDX-License-Identifier: MIT
// How many processors this process may use, and how many threads it has.
#ifndef PROCPOOL_DETAIL_OS_CPU_HPP
#define PROCPOOL_DETAIL_OS_CPU_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/cpu.hpp"
#else
#include "procpool/detail/os/linux/cpu.hpp"
#endif

#endif
