// SPDX-License-Identifier: MIT
// The environment variables of this process.
#ifndef PROCPOOL_DETAIL_OS_ENVIRONMENT_HPP
#define PROCPOOL_DETAIL_OS_ENVIRONMENT_HPP

#include "procpool/detail/os/linux/environment.hpp"

#endif
