// SPDX-License-Identifier: MIT
// Files that are written from their beginning.
#ifndef PROCPOOL_DETAIL_OS_NEW_FILE_HPP
#define PROCPOOL_DETAIL_OS_NEW_FILE_HPP

#include "procpool/detail/os/linux/new_file.hpp"

#endif
