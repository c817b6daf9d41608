// SPDX-License-Identifier: MIT
// Waits until a descriptor can be read or written to.
#ifndef PROCPOOL_DETAIL_OS_READABLE_HPP
#define PROCPOOL_DETAIL_OS_READABLE_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/readable.hpp"
#else
#include "procpool/detail/os/linux/readable.hpp"
#endif

#endif
