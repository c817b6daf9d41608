// SPDX-License-Identifier: MIT
// Shared memory without a name: nothing in /dev/shm, gone with its last user.
#ifndef PROCPOOL_DETAIL_OS_MEMFD_HPP
#define PROCPOOL_DETAIL_OS_MEMFD_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/memfd.hpp"
#else
#include "procpool/detail/os/linux/memfd.hpp"
#endif

#endif
