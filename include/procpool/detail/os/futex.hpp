// SPDX-License-Identifier: MIT
// Sleeping until a word in shared memory changes, and changing it for those who sleep.
#ifndef PROCPOOL_DETAIL_OS_FUTEX_HPP
#define PROCPOOL_DETAIL_OS_FUTEX_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/futex.hpp"
#else
#include "procpool/detail/os/linux/futex.hpp"
#endif

#endif
