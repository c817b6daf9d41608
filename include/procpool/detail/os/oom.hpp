// SPDX-License-Identifier: MIT
// Whether the kernel has killed processes for want of memory.
#ifndef PROCPOOL_DETAIL_OS_OOM_HPP
#define PROCPOOL_DETAIL_OS_OOM_HPP

#include "procpool/detail/os/linux/oom.hpp"

#endif
