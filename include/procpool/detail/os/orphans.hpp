// SPDX-License-Identifier: MIT
// Grandchildren whose parent was killed.
#ifndef PROCPOOL_DETAIL_OS_ORPHANS_HPP
#define PROCPOOL_DETAIL_OS_ORPHANS_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/orphans.hpp"
#else
#include "procpool/detail/os/linux/orphans.hpp"
#endif

#endif
