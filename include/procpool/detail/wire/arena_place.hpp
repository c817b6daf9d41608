// SPDX-License-Identifier: MIT
// Arenas, as those know them who have parts in them.
#ifndef PROCPOOL_DETAIL_WIRE_ARENA_PLACE_HPP
#define PROCPOOL_DETAIL_WIRE_ARENA_PLACE_HPP

#include <cstddef>
#include <cstdint>

#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::wire {

template <class>
class basic_arena;
using arena = basic_arena<only_if_used>;

/// Parts of so many bytes go through an arena; it costs as much as a copy through a pipe of about half of
/// that.
inline constexpr std::size_t arena_threshold = 64 * 1024;

/// Where a large part of a message lies: among the arenas of which pool, and where there.
struct arena_place {
    std::uint64_t pool = 0;
    std::uint64_t offset = 0;
};

}  // namespace procpool::inline v0_1::detail::wire

#endif
