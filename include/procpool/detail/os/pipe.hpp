// SPDX-License-Identifier: MIT
// Pipes: two ends, and reads and writes that say what happened.
#ifndef PROCPOOL_DETAIL_OS_PIPE_HPP
#define PROCPOOL_DETAIL_OS_PIPE_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/pipe.hpp"
#else
#include "procpool/detail/os/linux/pipe.hpp"
#endif

#endif
