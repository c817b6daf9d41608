// SPDX-License-Identifier: MIT
// The pages behind mapped memory: which ones it gets, getting them at once, giving them back.
#ifndef PROCPOOL_DETAIL_OS_POPULATE_HPP
#define PROCPOOL_DETAIL_OS_POPULATE_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/populate.hpp"
#else
#include "procpool/detail/os/linux/populate.hpp"
#endif

#endif
