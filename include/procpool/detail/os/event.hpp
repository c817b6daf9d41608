// SPDX-License-Identifier: MIT
// A doorbell that a poller can watch.
#ifndef PROCPOOL_DETAIL_OS_EVENT_HPP
#define PROCPOOL_DETAIL_OS_EVENT_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/event.hpp"
#else
#include "procpool/detail/os/linux/event.hpp"
#endif

#endif
