// SPDX-License-Identifier: MIT
// A piece of memory that several processes share, found by a handle: anonymous and gone with its last user,
// or a file that is only read.
#ifndef PROCPOOL_DETAIL_OS_SHARED_SEGMENT_HPP
#define PROCPOOL_DETAIL_OS_SHARED_SEGMENT_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/shared_segment.hpp"
#else
#include "procpool/detail/os/linux/shared_segment.hpp"
#endif

#endif
