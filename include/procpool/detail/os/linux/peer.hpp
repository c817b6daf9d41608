// SPDX-License-Identifier: MIT
// Who is at the other side of a unix socket, as the kernel knows it.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PEER_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PEER_HPP

#include <sys/socket.h>
#include <unistd.h>

#include <optional>

namespace procpool::inline v0_1::detail::os {

/// Who has connected, or listened when this side connected, or has made the pair of sockets; nothing if it is
/// no socket, or none that tells. Users who have no number in this process's user namespace are all told as
/// one and the same.
inline std::optional<ucred> peer_of(int socket) noexcept {
    ucred peer{};
    socklen_t size = sizeof peer;
    int domain = 0;
    socklen_t domain_size = sizeof domain;
    if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) != 0 || domain != AF_UNIX ||
        ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return std::nullopt;
    return peer;
}

inline bool is_own_user(const ucred& peer) noexcept { return peer.uid == ::geteuid(); }

}  // namespace procpool::inline v0_1::detail::os

#endif
