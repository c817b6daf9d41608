// SPDX-License-Identifier: MIT
// Pipes that carry packets: each is written and read whole or not at all, whoever dies.
#ifndef PROCPOOL_DETAIL_OS_PACKET_PIPE_HPP
#define PROCPOOL_DETAIL_OS_PACKET_PIPE_HPP

#include "procpool/detail/os/linux/packet_pipe.hpp"

#endif
