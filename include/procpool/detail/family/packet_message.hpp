// SPDX-License-Identifier: MIT
// A message of a Pipe.
#ifndef PROCPOOL_DETAIL_FAMILY_PACKET_MESSAGE_HPP
#define PROCPOOL_DETAIL_FAMILY_PACKET_MESSAGE_HPP

#include <cstdint>

#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::family {

/// A message that has come as a whole.
struct packet_message {
    std::uint64_t kind = 0;
    wire::buffer bytes;
};

}  // namespace procpool::inline v0_1::detail::family

#endif
