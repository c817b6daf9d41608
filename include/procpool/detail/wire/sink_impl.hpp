// SPDX-License-Identifier: MIT
// How large parts go into an arena, and are found there.
#ifndef PROCPOOL_DETAIL_WIRE_SINK_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_SINK_IMPL_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/wire/arena_part.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/large_part.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Room in the arena; nothing if there is none.
inline std::optional<arena_part> large_part(const sink& out, std::size_t size) {
    auto part = allocate_part(*out.large->memory, size);
    if (!part) return std::nullopt;
    out.large->parts.push_back(part->memory);
    out.large->bytes += size;
    return part;
}

inline void append_place(const sink& out, std::uint64_t size, const arena_part& part) {
    out.to.append_value(size | lies_in_arena);
    out.to.append_value(part.place);
}

PROCPOOL_COMPILED_APART std::byte* append_large_part(const sink& out, std::size_t size) {
    const auto part = large_part(out, size);
    if (!part) return nullptr;
    append_place(out, size, *part);
    return part->memory.get();
}

PROCPOOL_COMPILED_APART bool move_to_large_part(const sink& out, std::size_t begin) {
    const std::uint64_t size = out.to.size() - begin;
    const auto part = large_part(out, size);
    if (!part) return false;
    std::memcpy(part->memory.get(), out.to.data() + begin, size);
    out.to.shrink_to(begin - sizeof size);
    append_place(out, size, *part);
    return true;
}

PROCPOOL_COMPILED_APART std::span<const std::byte> take_large_part(cursor& from, std::uint64_t size) {
    const auto place = from.value<arena_place>();
    if (const auto part = find_part(place, size)) return *part;
    throw SerializationError("procpool: a message refers to " + std::to_string(size) +
                             " bytes of shared memory at " + std::to_string(place.offset) +
                             " that were never put there");
}

PROCPOOL_COMPILED_APART std::size_t size_of_part_ahead(cursor from) {
    if (from.left() < sizeof(std::uint64_t) + sizeof(arena_place)) return 0;
    const auto size = from.value<std::uint64_t>();
    if ((size & lies_in_arena) == 0) return 0;
    const auto part = find_part(from.value<arena_place>(), size & ~lies_in_arena);
    return part ? part->size() : 0;
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
