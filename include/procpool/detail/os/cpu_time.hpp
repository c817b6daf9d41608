// SPDX-License-Identifier: MIT
// The CPU time that processes have taken.
#ifndef PROCPOOL_DETAIL_OS_CPU_TIME_HPP
#define PROCPOOL_DETAIL_OS_CPU_TIME_HPP

#include "procpool/detail/os/linux/cpu_time.hpp"

#endif
