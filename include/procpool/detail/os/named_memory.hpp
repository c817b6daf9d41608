// SPDX-License-Identifier: MIT
// Shared memory that has a name, and so stays until that is removed.
#ifndef PROCPOOL_DETAIL_OS_NAMED_MEMORY_HPP
#define PROCPOOL_DETAIL_OS_NAMED_MEMORY_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/named_memory.hpp"
#else
#include "procpool/detail/os/linux/named_memory.hpp"
#endif

#endif
