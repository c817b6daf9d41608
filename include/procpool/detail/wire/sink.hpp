// SPDX-License-Identifier: MIT
// Where encoded values go: small things into the message, large ones into an arena.
#ifndef PROCPOOL_DETAIL_WIRE_SINK_HPP
#define PROCPOOL_DETAIL_WIRE_SINK_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/large_part.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Objects that must live until a message that refers to them was received.
using pins = std::vector<std::shared_ptr<const void>>;

/// The parts of a message that lie in an arena.
struct large_parts {
    std::shared_ptr<arena> memory;  // for more; none, or other_machines(): all goes into the message
    pins parts = {};
    std::size_t bytes = 0;
};

/// Where encoded values go, with what they refer to.
struct sink {
    buffer& to;
    pins& held;
    large_parts* large = nullptr;
};

/// In the upper bit of the size of bytes that lie in an arena; their place follows instead of them.
inline constexpr std::uint64_t lies_in_arena = std::uint64_t{1} << 63;

inline bool may_be_large_part(const sink& out, std::size_t size) noexcept {
    return size >= arena_threshold && out.large && out.large->memory;
}
/// Room in the arena for bytes that may be a large part; nothing if there is none.
inline std::optional<arena_part> large_part(const sink& out, std::size_t size) {
    auto part = allocate_part(*out.large->memory, size);
    if (!part) return std::nullopt;
    out.large->parts.push_back(part->memory);
    out.large->bytes += size;
    return part;
}

/// Appends a size, and room for so many bytes. @return where that is
inline std::byte* append_bulk(const sink& out, std::size_t size) {
    if (may_be_large_part(out, size))
        if (const auto part = large_part(out, size)) {
            out.to.append_value(std::uint64_t{size} | lies_in_arena);
            out.to.append_value(part->place);
            return part->memory.get();
        }
    out.to.append_value(std::uint64_t{size});
    return out.to.extend(size);
}
inline void append_bulk(const sink& out, const void* from, std::size_t size) {
    std::byte* const to = append_bulk(out, size);
    if (size > 0) std::memcpy(to, from, size);
}

/// Leaves room for the size of what is appended next. @return what end_sized() is to be told
inline std::size_t begin_sized(const sink& out) {
    out.to.append_value(std::uint64_t{0});
    return out.to.size();
}
/// What was appended since is as if by append_bulk(): many small things can be one large part, too.
inline void end_sized(const sink& out, std::size_t begin) {
    const std::uint64_t size = out.to.size() - begin;
    std::byte* const at = out.to.data() + begin;
    if (may_be_large_part(out, size))
        if (const auto part = large_part(out, size)) {
            std::memcpy(part->memory.get(), at, size);
            out.to.shrink_to(begin - sizeof size);
            out.to.append_value(size | lies_in_arena);
            out.to.append_value(part->place);
            return;
        }
    std::memcpy(at - sizeof size, &size, sizeof size);
}

/// The bytes that append_bulk() was given room for, wherever they lie.
inline std::span<const std::byte> take_bulk(cursor& from) {
    const auto size = from.value<std::uint64_t>();
    if ((size & lies_in_arena) == 0) return from.take(static_cast<std::size_t>(size));
    const auto place = from.value<arena_place>();
    if (const auto part = find_part(place, size & ~lies_in_arena)) return *part;
    throw SerializationError("procpool: a message refers to " + std::to_string(size & ~lies_in_arena) +
                             " bytes of shared memory at " + std::to_string(place.offset) +
                             " that were never put there");
}

/// Passes over what take_bulk() would give.
inline void skip_bulk(cursor& from) {
    const auto size = from.value<std::uint64_t>();
    from.take((size & lies_in_arena) == 0 ? static_cast<std::size_t>(size) : sizeof(arena_place));
}

/// How many bytes of an arena take_bulk() would give next; 0 if it would give others, or none.
inline std::size_t size_of_part_ahead(cursor from) {
    if (from.left() < sizeof(std::uint64_t) + sizeof(arena_place)) return 0;
    const auto size = from.value<std::uint64_t>();
    if ((size & lies_in_arena) == 0) return 0;
    const auto part = find_part(from.value<arena_place>(), size & ~lies_in_arena);
    return part ? part->size() : 0;
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
