// SPDX-License-Identifier: MIT
// The name of the function at a code address of this process.
#ifndef PROCPOOL_DETAIL_OS_SYMBOLS_HPP
#define PROCPOOL_DETAIL_OS_SYMBOLS_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/symbols.hpp"
#else
#include "procpool/detail/os/linux/symbols.hpp"
#endif

#endif
