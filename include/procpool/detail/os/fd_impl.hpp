// SPDX-License-Identifier: MIT
// How descriptors are taken over and closed.
#ifndef PROCPOOL_DETAIL_OS_FD_IMPL_HPP
#define PROCPOOL_DETAIL_OS_FD_IMPL_HPP

#include "procpool/detail/os/linux/fd_impl.hpp"

#endif
