// SPDX-License-Identifier: MIT
// A socket pair that keeps message boundaries and can carry file descriptors.
#ifndef PROCPOOL_DETAIL_OS_SOCKET_HPP
#define PROCPOOL_DETAIL_OS_SOCKET_HPP

#include "procpool/detail/os/linux/socket.hpp"

#endif
