// SPDX-License-Identifier: MIT
// Threads whose failure to start names the call.
#ifndef PROCPOOL_DETAIL_OS_THREAD_HPP
#define PROCPOOL_DETAIL_OS_THREAD_HPP

#include "procpool/detail/os/linux/thread.hpp"

#endif
