// SPDX-License-Identifier: MIT
// Encoded elements that leave an arena for another machine, or go into one when they come from there.
#ifndef PROCPOOL_DETAIL_WIRE_WHOLE_ELEMENTS_HPP
#define PROCPOOL_DETAIL_WIRE_WHOLE_ELEMENTS_HPP

#include <cstddef>
#include <cstdint>
#include <span>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Appends elements of variable size as they are, in long pieces, but for those whose size `is_other`:
/// `append_other(elements)` takes the next one and appends it.
template <class IsOther, class AppendOther>
void append_elements(buffer& to, std::span<const std::byte> elements, IsOther is_other,
                     AppendOther append_other) {
    cursor from(elements);
    while (from.left() > 0) {
        cursor ahead = from;
        while (ahead.left() > 0 && !is_other(cursor(ahead).template value<std::uint64_t>())) ahead.sized();
        const auto piece = from.take(from.left() - ahead.left());
        to.append(piece.data(), piece.size());
        if (from.left() > 0) append_other(from);
    }
}

/// Appends elements in which nothing refers to an arena, but which may lie in one as a whole: their bytes.
template <class = only_if_used>
void append_from_arena(buffer& to, std::uint64_t stride, std::span<const std::byte> elements) {
    if (stride != variable_stride) return to.append(elements.data(), elements.size());
    append_elements(
        to, elements, [](std::uint64_t size) { return (size & lies_in_arena) != 0; },
        [&](cursor& from) {
            const auto bytes = take_bulk(from);
            to.append_value(std::uint64_t{bytes.size()});
            to.append(bytes.data(), bytes.size());
        });
}

/// Appends elements that have all their bytes. Large ones go into the arena of `out`, if there is room.
template <class = only_if_used>
void append_to_arena(const sink& out, std::uint64_t stride, std::span<const std::byte> elements) {
    if (stride != variable_stride) return out.to.append(elements.data(), elements.size());
    append_elements(
        out.to, elements, [&](std::uint64_t size) { return may_be_large_part(out, size); },
        [&](cursor& from) {
            const auto bytes = from.sized();
            append_bulk(out, bytes.data(), bytes.size());
        });
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
