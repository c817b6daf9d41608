// SPDX-License-Identifier: MIT
// A child process of this one: its end, and signals that reach it and nobody else.
#ifndef PROCPOOL_DETAIL_OS_CHILD_HPP
#define PROCPOOL_DETAIL_OS_CHILD_HPP

#include "procpool/detail/os/linux/child.hpp"

#endif
