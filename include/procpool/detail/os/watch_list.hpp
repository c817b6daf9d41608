// SPDX-License-Identifier: MIT
// Waits for any of several descriptors, each time other ones; for lasting interest there is poller.hpp.
#ifndef PROCPOOL_DETAIL_OS_WATCH_LIST_HPP
#define PROCPOOL_DETAIL_OS_WATCH_LIST_HPP

#include "procpool/detail/os/linux/watch_list.hpp"

#endif
