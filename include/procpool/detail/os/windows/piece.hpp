// SPDX-License-Identifier: MIT
// A piece of memory of several that are written together.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PIECE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PIECE_HPP

#include <cstddef>

namespace procpool::inline v0_1::detail::os {

struct piece {
    const void* data;
    std::size_t size;
};

inline piece make_piece(const void* data, std::size_t size) noexcept { return {data, size}; }
inline const void* data_of(const piece& one) noexcept { return one.data; }
inline std::size_t size_of(const piece& one) noexcept { return one.size; }

}  // namespace procpool::inline v0_1::detail::os

#endif
