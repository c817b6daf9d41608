// SPDX-License-Identifier: MIT
// A part of a message in an arena.
#ifndef PROCPOOL_DETAIL_WIRE_ARENA_PART_HPP
#define PROCPOOL_DETAIL_WIRE_ARENA_PART_HPP

#include <cstddef>
#include <memory>

#include "procpool/detail/wire/arena_place.hpp"

namespace procpool::inline v0_1::detail::wire {

/// A part of a message, for as long as `memory` lives.
struct arena_part {
    std::shared_ptr<std::byte> memory;
    arena_place place;
};

}  // namespace procpool::inline v0_1::detail::wire

#endif
