// SPDX-License-Identifier: MIT
// Birth, signals and death of a child process.
#ifndef PROCPOOL_DETAIL_OS_PROCESS_HPP
#define PROCPOOL_DETAIL_OS_PROCESS_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/process.hpp"
#else
#include "procpool/detail/os/linux/process.hpp"
#endif

#endif
