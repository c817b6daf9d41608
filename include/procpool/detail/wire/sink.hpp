// SPDX-License-Identifier: MIT
// Where encoded values go: small things into the message, large ones into an arena.
#ifndef PROCPOOL_DETAIL_WIRE_SINK_HPP
#define PROCPOOL_DETAIL_WIRE_SINK_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/buffer.hpp"

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
/// Appends the size and the place of a large part. @return where it is; null, and nothing is appended, if
/// there is no room in the arena
std::byte* append_large_part(const sink& out, std::size_t size);

/// Appends a size, and room for so many bytes. @return where that is
inline std::byte* append_bulk(const sink& out, std::size_t size) {
    if (may_be_large_part(out, size))
        if (std::byte* const part = append_large_part(out, size)) return part;
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
/// What was appended from `begin` on becomes a large part. False, and it stays, if there is no room.
bool move_to_large_part(const sink& out, std::size_t begin);
/// What was appended since is as if by append_bulk(): many small things can be one large part, too.
inline void end_sized(const sink& out, std::size_t begin) {
    const std::uint64_t size = out.to.size() - begin;
    if (may_be_large_part(out, size) && move_to_large_part(out, begin)) return;
    std::memcpy(out.to.data() + begin - sizeof size, &size, sizeof size);
}

/// The large part whose size was read. @throws SerializationError if there is none
std::span<const std::byte> take_large_part(cursor& from, std::uint64_t size);
/// The bytes that append_bulk() was given room for, wherever they lie.
inline std::span<const std::byte> take_bulk(cursor& from) {
    const auto size = from.value<std::uint64_t>();
    if ((size & lies_in_arena) == 0) return from.take(static_cast<std::size_t>(size));
    return take_large_part(from, size & ~lies_in_arena);
}

/// Passes over what take_bulk() would give.
inline void skip_bulk(cursor& from) {
    const auto size = from.value<std::uint64_t>();
    from.take((size & lies_in_arena) == 0 ? static_cast<std::size_t>(size) : sizeof(arena_place));
}

/// How many bytes of an arena take_bulk() would give next; 0 if it would give others, or none.
std::size_t size_of_part_ahead(cursor from);

}  // namespace procpool::inline v0_1::detail::wire

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/sink_impl.hpp"
#endif

#endif
