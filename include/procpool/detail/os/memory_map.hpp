// SPDX-License-Identifier: MIT
// What lies at an address of this process.
#ifndef PROCPOOL_DETAIL_OS_MEMORY_MAP_HPP
#define PROCPOOL_DETAIL_OS_MEMORY_MAP_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/memory_map.hpp"
#else
#include "procpool/detail/os/linux/memory_map.hpp"
#endif

#endif
