// SPDX-License-Identifier: MIT
// What lies at an address of this process.
#ifndef PROCPOOL_DETAIL_OS_MEMORY_MAP_HPP
#define PROCPOOL_DETAIL_OS_MEMORY_MAP_HPP

#include "procpool/detail/os/linux/memory_map.hpp"

#endif
