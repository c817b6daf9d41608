// SPDX-License-Identifier: MIT
// A piece of memory of several that are written together.
#ifndef PROCPOOL_DETAIL_OS_PIECE_HPP
#define PROCPOOL_DETAIL_OS_PIECE_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/piece.hpp"
#else
#include "procpool/detail/os/linux/piece.hpp"
#endif

#endif
