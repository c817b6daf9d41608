// SPDX-License-Identifier: MIT
// Files that are written from their beginning.
#ifndef PROCPOOL_DETAIL_OS_NEW_FILE_HPP
#define PROCPOOL_DETAIL_OS_NEW_FILE_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/new_file.hpp"
#else
#include "procpool/detail/os/linux/new_file.hpp"
#endif

#endif
