// SPDX-License-Identifier: MIT
// How many locks a thread holds that the kernel frees when it dies.
#ifndef PROCPOOL_DETAIL_OS_HELD_LOCKS_HPP
#define PROCPOOL_DETAIL_OS_HELD_LOCKS_HPP

#include "procpool/detail/os/linux/held_locks.hpp"

#endif
