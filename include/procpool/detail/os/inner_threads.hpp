// SPDX-License-Identifier: MIT
// How many threads libraries use inside of this process.
#ifndef PROCPOOL_DETAIL_OS_INNER_THREADS_HPP
#define PROCPOOL_DETAIL_OS_INNER_THREADS_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/inner_threads.hpp"
#else
#include "procpool/detail/os/linux/inner_threads.hpp"
#endif

#endif
