// SPDX-License-Identifier: MIT
// Which process it is, also when its number has gone to another one.
#ifndef PROCPOOL_DETAIL_OS_PROCESS_IDENTITY_HPP
#define PROCPOOL_DETAIL_OS_PROCESS_IDENTITY_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/process_identity.hpp"
#else
#include "procpool/detail/os/linux/process_identity.hpp"
#endif

#endif
