// SPDX-License-Identifier: MIT
// The name of a thread, as debuggers and top show it.
#ifndef PROCPOOL_DETAIL_OS_THREAD_NAME_HPP
#define PROCPOOL_DETAIL_OS_THREAD_NAME_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/thread_name.hpp"
#else
#include "procpool/detail/os/linux/thread_name.hpp"
#endif

#endif
