// SPDX-License-Identifier: MIT
// Moments of the steady clock as the kernel takes them.
#ifndef PROCPOOL_DETAIL_OS_TIMESPEC_HPP
#define PROCPOOL_DETAIL_OS_TIMESPEC_HPP

#include "procpool/detail/os/linux/timespec.hpp"

#endif
