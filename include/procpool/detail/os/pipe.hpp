// SPDX-License-Identifier: MIT
// Pipes: two ends, and reads and writes that say what happened.
#ifndef PROCPOOL_DETAIL_OS_PIPE_HPP
#define PROCPOOL_DETAIL_OS_PIPE_HPP

#include "procpool/detail/os/linux/pipe.hpp"

#endif
