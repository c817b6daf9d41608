// SPDX-License-Identifier: MIT
// The deaths of the children of this process: that there are some, and what each was like.
#ifndef PROCPOOL_DETAIL_OS_CHILD_DEATHS_HPP
#define PROCPOOL_DETAIL_OS_CHILD_DEATHS_HPP

#include "procpool/detail/os/linux/child_deaths.hpp"

#endif
