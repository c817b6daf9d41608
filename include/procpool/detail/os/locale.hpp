// SPDX-License-Identifier: MIT
// The locale of a process, as names that another process can set.
#ifndef PROCPOOL_DETAIL_OS_LOCALE_HPP
#define PROCPOOL_DETAIL_OS_LOCALE_HPP

#include "procpool/detail/os/linux/locale.hpp"

#endif
