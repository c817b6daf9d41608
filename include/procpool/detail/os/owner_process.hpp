// SPDX-License-Identifier: MIT
// The process that made an object.
#ifndef PROCPOOL_DETAIL_OS_OWNER_PROCESS_HPP
#define PROCPOOL_DETAIL_OS_OWNER_PROCESS_HPP

#include "procpool/detail/os/linux/owner_process.hpp"

#endif
