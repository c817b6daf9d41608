// SPDX-License-Identifier: MIT
// Where a message for envelope.hpp begins.
#ifndef PROCPOOL_DETAIL_FAMILY_NEW_ENVELOPE_HPP
#define PROCPOOL_DETAIL_FAMILY_NEW_ENVELOPE_HPP

#include <cstdint>

#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::family {

/// A message that is being made, with room for its size in front.
inline wire::buffer new_envelope() {
    wire::buffer message;
    message.append_value(std::uint64_t{0});
    return message;
}

}  // namespace procpool::inline v0_1::detail::family

#endif
