// SPDX-License-Identifier: MIT
// Large parts of messages, which lie in an arena: what an encoder needs to know of arenas.
#ifndef PROCPOOL_DETAIL_WIRE_LARGE_PART_HPP
#define PROCPOOL_DETAIL_WIRE_LARGE_PART_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/arena_part.hpp"
#include "procpool/detail/wire/arena_place.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Room for a part of `size` bytes; nothing if that is more than the limit allows or the machine has.
template <class = only_if_used>
std::optional<arena_part> allocate_part(arena& in, std::size_t size);

/// The `size` bytes at `place`; nothing unless a part of that size was put there.
template <class = only_if_used>
std::optional<std::span<const std::byte>> find_part(const arena_place& place, std::uint64_t size);
/// The same bytes, kept there; null if they can't be.
template <class = only_if_used>
std::shared_ptr<std::byte> borrow_part(const arena_place& place, std::uint64_t size);

/// The arena in which the results of tasks lie that this process runs; null if there is none.
template <class = only_if_used>
std::shared_ptr<arena> arena_of_results();

}  // namespace procpool::inline v0_1::detail::wire

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/large_part_impl.hpp"
#endif

#endif
