// SPDX-License-Identifier: MIT
// Why what another process holds open can't be opened here.
#ifndef PROCPOOL_DETAIL_OS_FOREIGN_FILE_HPP
#define PROCPOOL_DETAIL_OS_FOREIGN_FILE_HPP

#include "procpool/detail/os/linux/foreign_file.hpp"

#endif
