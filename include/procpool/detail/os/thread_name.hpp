// SPDX-License-Identifier: MIT
// The name of a thread, as debuggers and top show it.
#ifndef PROCPOOL_DETAIL_OS_THREAD_NAME_HPP
#define PROCPOOL_DETAIL_OS_THREAD_NAME_HPP

#include "procpool/detail/os/linux/thread_name.hpp"

#endif
