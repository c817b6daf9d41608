// SPDX-License-Identifier: MIT
// All of it is in fd.hpp.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_FD_IMPL_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_FD_IMPL_HPP

#include "procpool/detail/os/windows/fd.hpp"

#endif
