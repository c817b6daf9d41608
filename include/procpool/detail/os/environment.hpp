// SPDX-License-Identifier: MIT
// The environment variables of this process.
#ifndef PROCPOOL_DETAIL_OS_ENVIRONMENT_HPP
#define PROCPOOL_DETAIL_OS_ENVIRONMENT_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/environment.hpp"
#else
#include "procpool/detail/os/linux/environment.hpp"
#endif

#endif
