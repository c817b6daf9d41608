// SPDX-License-Identifier: MIT
// How much memory there is left, before a process is killed for taking it.
#ifndef PROCPOOL_DETAIL_OS_AVAILABLE_MEMORY_HPP
#define PROCPOOL_DETAIL_OS_AVAILABLE_MEMORY_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/available_memory.hpp"
#else
#include "procpool/detail/os/linux/available_memory.hpp"
#endif

#endif
