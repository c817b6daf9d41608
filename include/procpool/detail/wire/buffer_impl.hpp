// SPDX-License-Identifier: MIT
// How a buffer grows, and how bytes are refused.
#ifndef PROCPOOL_DETAIL_WIRE_BUFFER_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_BUFFER_IMPL_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

PROCPOOL_COMPILED_APART void buffer::grow(std::size_t needed) {
    const std::size_t capacity = std::max(needed, std::max<std::size_t>(64, capacity_ + capacity_ / 2));
    auto* const larger = new std::byte[capacity];  // which clears nothing
    if (size_ > 0) std::memcpy(larger, data_, size_);
    delete[] std::exchange(data_, larger);
    capacity_ = capacity;
}

[[gnu::noinline]] PROCPOOL_COMPILED_APART void cursor::throw_too_short(std::size_t wanted, std::size_t left) {
    throw SerializationError("procpool: a message ends too early: " + std::to_string(wanted) +
                             " bytes wanted, " + std::to_string(left) + " left");
}

[[gnu::noinline]] PROCPOOL_COMPILED_APART void cursor::throw_claims_too_much(std::uint64_t count,
                                                                             std::size_t bytes) {
    throw SerializationError("procpool: a message claims " + std::to_string(count) + " elements in " +
                             std::to_string(bytes) + " bytes");
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
