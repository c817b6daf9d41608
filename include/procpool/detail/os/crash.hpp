// SPDX-License-Identifier: MIT
// Where a process was when it crashed: written by the dying process into memory that another one reads.
#ifndef PROCPOOL_DETAIL_OS_CRASH_HPP
#define PROCPOOL_DETAIL_OS_CRASH_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/crash.hpp"
#else
#include "procpool/detail/os/linux/crash.hpp"
#endif

#endif
