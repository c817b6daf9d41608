// SPDX-License-Identifier: MIT
// The end of a process that leaves by itself: what it has written is out.
#ifndef PROCPOOL_DETAIL_OS_PEACEFUL_EXIT_HPP
#define PROCPOOL_DETAIL_OS_PEACEFUL_EXIT_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/peaceful_exit.hpp"
#else
#include "procpool/detail/os/linux/peaceful_exit.hpp"
#endif

#endif
