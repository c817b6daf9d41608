// SPDX-License-Identifier: MIT
// File descriptors that no forked child inherits by accident.
#ifndef PROCPOOL_DETAIL_OS_FD_HPP
#define PROCPOOL_DETAIL_OS_FD_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/fd.hpp"
#else
#include "procpool/detail/os/linux/fd.hpp"
#endif

#endif
