// SPDX-License-Identifier: MIT
// How many processors this process may use, and how many threads it has.
#ifndef PROCPOOL_DETAIL_OS_CPU_HPP
#define PROCPOOL_DETAIL_OS_CPU_HPP

#include "procpool/detail/os/linux/cpu.hpp"

#endif
