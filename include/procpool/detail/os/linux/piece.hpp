// SPDX-License-Identifier: MIT
// A piece of memory of several that are written together.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PIECE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PIECE_HPP

#include <sys/uio.h>
#include <cstddef>

namespace procpool::inline v0_1::detail::os {

/// Its first member says where it begins, the second one how many bytes it has.
using piece = iovec;

inline piece make_piece(const void* data, std::size_t size) noexcept {
    return {const_cast<void*>(data), size};
}

}  // namespace procpool::inline v0_1::detail::os

#endif
