// SPDX-License-Identifier: MIT
// The program and the shared libraries in this process: which one holds an address, where one is loaded.
#ifndef PROCPOOL_DETAIL_OS_MODULE_HPP
#define PROCPOOL_DETAIL_OS_MODULE_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/module.hpp"
#else
#include "procpool/detail/os/linux/module.hpp"
#endif

#endif
