// SPDX-License-Identifier: MIT
// How a shared_segment comes to be.
#ifndef PROCPOOL_DETAIL_OS_MAPPED_SEGMENT_HPP
#define PROCPOOL_DETAIL_OS_MAPPED_SEGMENT_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/mapped_segment.hpp"
#else
#include "procpool/detail/os/linux/mapped_segment.hpp"
#endif

#endif
