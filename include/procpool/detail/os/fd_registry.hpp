// SPDX-License-Identifier: MIT
// Descriptors that forked children must not inherit.
#ifndef PROCPOOL_DETAIL_OS_FD_REGISTRY_HPP
#define PROCPOOL_DETAIL_OS_FD_REGISTRY_HPP

#include "procpool/detail/os/linux/fd_registry.hpp"

#endif
