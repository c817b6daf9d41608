// SPDX-License-Identifier: MIT
// Starts a fresh run of this program that gets what is put into it. Only where nothing forks.
#ifndef PROCPOOL_DETAIL_OS_NEW_PROCESS_HPP
#define PROCPOOL_DETAIL_OS_NEW_PROCESS_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/new_process.hpp"
#endif

#endif
