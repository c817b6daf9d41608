// SPDX-License-Identifier: MIT
// What a program has asked to be called around the library's forks.
#ifndef PROCPOOL_DETAIL_OS_FORK_HOOKS_HPP
#define PROCPOOL_DETAIL_OS_FORK_HOOKS_HPP

#include "procpool/detail/os/linux/fork_hooks.hpp"

#endif
