// SPDX-License-Identifier: MIT
// What this process has printed and still keeps to itself.
#ifndef PROCPOOL_DETAIL_OS_STANDARD_OUTPUT_HPP
#define PROCPOOL_DETAIL_OS_STANDARD_OUTPUT_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/standard_output.hpp"
#else
#include "procpool/detail/os/linux/standard_output.hpp"
#endif

#endif
