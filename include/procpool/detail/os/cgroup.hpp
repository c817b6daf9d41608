// SPDX-License-Identifier: MIT
// The control groups (containers) that this process is in, and their settings.
#ifndef PROCPOOL_DETAIL_OS_CGROUP_HPP
#define PROCPOOL_DETAIL_OS_CGROUP_HPP

#include "procpool/detail/os/linux/cgroup.hpp"

#endif
