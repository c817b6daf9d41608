// SPDX-License-Identifier: MIT
// A mutex between processes that learns of the death of its holder.
#ifndef PROCPOOL_DETAIL_OS_ROBUST_MUTEX_HPP
#define PROCPOOL_DETAIL_OS_ROBUST_MUTEX_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/robust_mutex.hpp"
#else
#include "procpool/detail/os/linux/robust_mutex.hpp"
#endif

#endif
