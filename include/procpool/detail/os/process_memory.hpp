// SPDX-License-Identifier: MIT
// Memory that another process has, and has had at most.
#ifndef PROCPOOL_DETAIL_OS_PROCESS_MEMORY_HPP
#define PROCPOOL_DETAIL_OS_PROCESS_MEMORY_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/process_memory.hpp"
#else
#include "procpool/detail/os/linux/process_memory.hpp"
#endif

#endif
