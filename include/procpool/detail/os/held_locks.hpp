// SPDX-License-Identifier: MIT
// How many locks a thread holds that the kernel frees when it dies.
#ifndef PROCPOOL_DETAIL_OS_HELD_LOCKS_HPP
#define PROCPOOL_DETAIL_OS_HELD_LOCKS_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/held_locks.hpp"
#else
#include "procpool/detail/os/linux/held_locks.hpp"
#endif

#endif
