// SPDX-License-Identifier: MIT
// Messages of any size through a stream socket: a size, then the bytes. See new_envelope.hpp.
#ifndef PROCPOOL_DETAIL_FAMILY_ENVELOPE_HPP
#define PROCPOOL_DETAIL_FAMILY_ENVELOPE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "procpool/detail/os/local_socket.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::family {

/// False if the other side is gone.
inline bool send_envelope(const os::fd& socket, wire::buffer& message) {
    const std::uint64_t size = message.size() - sizeof size;
    std::memcpy(message.data(), &size, sizeof size);
    return os::send_all(socket, message.data(), message.size());
}

/// False if the other side is gone. Memory is taken as bytes arrive.
inline bool receive_envelope(const os::fd& socket, wire::buffer& to) {
    constexpr std::size_t piece = 256 * 1024;
    const auto fill = [&](std::uint64_t size) {
        while (to.size() < size) {
            const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(size - to.size(), piece));
            std::byte* const at = to.extend(most);
            const std::size_t got = os::receive_some(socket, at, most);
            to.shrink_to(to.size() - most + got);
            if (got == 0) return false;
        }
        return true;
    };
    to.clear();
    if (!fill(sizeof(std::uint64_t))) return false;
    const auto size = wire::cursor(to.bytes()).value<std::uint64_t>();
    to.clear();
    return fill(size);
}

}  // namespace procpool::inline v0_1::detail::family

#endif
