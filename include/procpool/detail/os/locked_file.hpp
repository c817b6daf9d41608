// SPDX-License-Identifier: MIT
// A file that one program has for itself, and how others read it.
#ifndef PROCPOOL_DETAIL_OS_LOCKED_FILE_HPP
#define PROCPOOL_DETAIL_OS_LOCKED_FILE_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/locked_file.hpp"
#else
#include "procpool/detail/os/linux/locked_file.hpp"
#endif

#endif
