// SPDX-License-Identifier: MIT
// How descriptors are taken over and closed.
#ifndef PROCPOOL_DETAIL_OS_FD_IMPL_HPP
#define PROCPOOL_DETAIL_OS_FD_IMPL_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/fd_impl.hpp"
#else
#include "procpool/detail/os/linux/fd_impl.hpp"
#endif

#endif
