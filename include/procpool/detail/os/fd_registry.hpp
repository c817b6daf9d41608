// SPDX-License-Identifier: MIT
// Descriptors that forked children must not inherit.
#ifndef PROCPOOL_DETAIL_OS_FD_REGISTRY_HPP
#define PROCPOOL_DETAIL_OS_FD_REGISTRY_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/fd_registry.hpp"
#else
#include "procpool/detail/os/linux/fd_registry.hpp"
#endif

#endif
