// SPDX-License-Identifier: MIT
// What keeps the name of shared memory.
#ifndef PROCPOOL_DETAIL_OS_KEPT_NAME_HPP
#define PROCPOOL_DETAIL_OS_KEPT_NAME_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/kept_name.hpp"
#else
#include "procpool/detail/os/linux/kept_name.hpp"
#endif

#endif
