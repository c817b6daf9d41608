// SPDX-License-Identifier: MIT
// Short messages between machines that may get lost.
#ifndef PROCPOOL_DETAIL_OS_DATAGRAM_HPP
#define PROCPOOL_DETAIL_OS_DATAGRAM_HPP

#include "procpool/detail/os/linux/datagram.hpp"

#endif
