// SPDX-License-Identifier: MIT
// Processes that descend from others: whose they are, whatever has become of their parents.
#ifndef PROCPOOL_DETAIL_OS_DESCENDANTS_HPP
#define PROCPOOL_DETAIL_OS_DESCENDANTS_HPP

#include "procpool/detail/os/linux/descendants.hpp"

#endif
