// SPDX-License-Identifier: MIT
// pthread_cancel() for a thread that is in a call of the library.
#ifndef PROCPOOL_DETAIL_OS_CANCELLATION_HPP
#define PROCPOOL_DETAIL_OS_CANCELLATION_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/cancellation.hpp"
#else
#include "procpool/detail/os/linux/cancellation.hpp"
#endif

#endif
