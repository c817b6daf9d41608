// SPDX-License-Identifier: MIT
// A failed system call as an exception that names the call and its object.
#ifndef PROCPOOL_DETAIL_OS_ERROR_HPP
#define PROCPOOL_DETAIL_OS_ERROR_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/error.hpp"
#else
#include "procpool/detail/os/linux/error.hpp"
#endif

#endif
