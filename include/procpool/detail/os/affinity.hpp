// SPDX-License-Identifier: MIT
// On which processors processes may run, and who has started them.
#ifndef PROCPOOL_DETAIL_OS_AFFINITY_HPP
#define PROCPOOL_DETAIL_OS_AFFINITY_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/affinity.hpp"
#else
#include "procpool/detail/os/linux/affinity.hpp"
#endif

#endif
