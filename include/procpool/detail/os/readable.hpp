// SPDX-License-Identifier: MIT
// Waits for any of a few descriptors, each time other ones; for lasting interest there is poller.hpp.
#ifndef PROCPOOL_DETAIL_OS_READABLE_HPP
#define PROCPOOL_DETAIL_OS_READABLE_HPP

#include "procpool/detail/os/linux/readable.hpp"

#endif
