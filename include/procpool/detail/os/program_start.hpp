// SPDX-License-Identifier: MIT
// What runs in the program before main: its initial functions, and a life in main's place.
#ifndef PROCPOOL_DETAIL_OS_PROGRAM_START_HPP
#define PROCPOOL_DETAIL_OS_PROGRAM_START_HPP

#include "procpool/detail/os/linux/program_start.hpp"

#endif
