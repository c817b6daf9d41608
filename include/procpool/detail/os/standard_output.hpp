// SPDX-License-Identifier: MIT
// What this process has printed and still keeps to itself.
#ifndef PROCPOOL_DETAIL_OS_STANDARD_OUTPUT_HPP
#define PROCPOOL_DETAIL_OS_STANDARD_OUTPUT_HPP

#include "procpool/detail/os/linux/standard_output.hpp"

#endif
