// SPDX-License-Identifier: MIT
// Waits until a descriptor can be read or written to.
#ifndef PROCPOOL_DETAIL_OS_READABLE_HPP
#define PROCPOOL_DETAIL_OS_READABLE_HPP

#include "procpool/detail/os/linux/readable.hpp"

#endif
