// SPDX-License-Identifier: MIT
// How an item of a queue is encoded: in its place, or in a buffer first.
#ifndef PROCPOOL_DETAIL_WIRE_ITEM_HPP
#define PROCPOOL_DETAIL_WIRE_ITEM_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "procpool/detail/wire/codec.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Types whose encoding is their bytes, behind a size if that varies: to encode or decode them is a copy,
/// runs no code of the user's, and pins nothing.
template <class T>
struct copied_item {
    static constexpr bool value = flat<T>;
    static std::size_t size(const T&) noexcept { return sizeof(T); }
    static void check(const T& item) { refuse_pointers(&item, 1); }
    static void write(const T& item, std::byte* to) noexcept { std::memcpy(to, &item, sizeof item); }
};

/// As codec has them: their size, and their elements.
template <class Range>
struct copied_range {
    using element = typename Range::value_type;
    static constexpr bool value = true;
    static std::size_t size(const Range& item) noexcept {
        return sizeof(std::uint64_t) + item.size() * sizeof(element);
    }
    static void write(const Range& item, std::byte* to) noexcept {
        const std::uint64_t bytes = item.size() * sizeof(element);
        std::memcpy(to, &bytes, sizeof bytes);
        if (bytes > 0) std::memcpy(to + sizeof bytes, item.data(), bytes);
    }
};

template <class T, class Allocator>
    requires(codec<std::vector<T, Allocator>>::in_bulk)
struct copied_item<std::vector<T, Allocator>> : copied_range<std::vector<T, Allocator>> {
    static void check(const std::vector<T, Allocator>& item) { refuse_pointers(item.data(), item.size()); }
};
template <class Char, class Traits, class Allocator>
struct copied_item<std::basic_string<Char, Traits, Allocator>>
    : copied_range<std::basic_string<Char, Traits, Allocator>> {
    static void check(const std::basic_string<Char, Traits, Allocator>&) noexcept {}
};

}  // namespace procpool::inline v0_1::detail::wire

#endif
