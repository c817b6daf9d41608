// SPDX-License-Identifier: MIT
// std::cout and std::clog as parts of the streams of C.
#ifndef PROCPOOL_DETAIL_OS_C_STREAMS_HPP
#define PROCPOOL_DETAIL_OS_C_STREAMS_HPP

#include "procpool/detail/os/linux/c_streams.hpp"

#endif
