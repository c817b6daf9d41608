// SPDX-License-Identifier: MIT
// Who is at the other side of a unix socket, as the kernel knows it.
#ifndef PROCPOOL_DETAIL_OS_PEER_HPP
#define PROCPOOL_DETAIL_OS_PEER_HPP

#include "procpool/detail/os/linux/peer.hpp"

#endif
