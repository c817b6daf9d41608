// SPDX-License-Identifier: MIT
// Whether an object is the one that this process made, or a copy in a forked child.
#ifndef PROCPOOL_DETAIL_OS_FORK_STAMP_HPP
#define PROCPOOL_DETAIL_OS_FORK_STAMP_HPP

#include "procpool/detail/os/linux/fork_stamp.hpp"

#endif
