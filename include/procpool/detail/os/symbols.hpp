// SPDX-License-Identifier: MIT
// The name of the function at a code address of this process.
#ifndef PROCPOOL_DETAIL_OS_SYMBOLS_HPP
#define PROCPOOL_DETAIL_OS_SYMBOLS_HPP

#include "procpool/detail/os/linux/symbols.hpp"

#endif
