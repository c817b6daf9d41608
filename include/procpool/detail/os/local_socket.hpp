// SPDX-License-Identifier: MIT
// Stream sockets between processes of one user, under a random name that is no file. Anybody can read the
// name in /proc/net/unix, and take it when the listener is gone.
#ifndef PROCPOOL_DETAIL_OS_LOCAL_SOCKET_HPP
#define PROCPOOL_DETAIL_OS_LOCAL_SOCKET_HPP

#include "procpool/detail/os/linux/local_socket.hpp"

#endif
