// SPDX-License-Identifier: MIT
// A variable of each thread, with a destructor.
#ifndef PROCPOOL_DETAIL_OS_PER_THREAD_HPP
#define PROCPOOL_DETAIL_OS_PER_THREAD_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/per_thread.hpp"
#else
#include "procpool/detail/os/linux/per_thread.hpp"
#endif

#endif
