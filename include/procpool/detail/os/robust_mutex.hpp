// SPDX-License-Identifier: MIT
// A mutex between processes that learns of the death of its holder.
#ifndef PROCPOOL_DETAIL_OS_ROBUST_MUTEX_HPP
#define PROCPOOL_DETAIL_OS_ROBUST_MUTEX_HPP

#include "procpool/detail/os/linux/robust_mutex.hpp"

#endif
