// SPDX-License-Identifier: MIT
// Waits for any of several descriptors; each is watched under a number of the caller's.
#ifndef PROCPOOL_DETAIL_OS_POLLER_HPP
#define PROCPOOL_DETAIL_OS_POLLER_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/poller.hpp"
#else
#include "procpool/detail/os/linux/poller.hpp"
#endif

#endif
