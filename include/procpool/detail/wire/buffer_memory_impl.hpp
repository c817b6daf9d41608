// SPDX-License-Identifier: MIT
// Where the bytes of a Buffer lie.
#ifndef PROCPOOL_DETAIL_WIRE_BUFFER_MEMORY_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_BUFFER_MEMORY_IMPL_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/os/large_write.hpp"
#include "procpool/detail/wire/arena_part.hpp"
#include "procpool/detail/wire/arena_part_header.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/buffer_memory.hpp"
#include "procpool/detail/wire/large_part.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::wire {

PROCPOOL_COMPILED_APART buffer_memory::buffer_memory(std::size_t bytes) {
    if (bytes == 0) return;
    if (bytes >= arena_threshold) {
        if (const auto results = arena_of_results()) {
            if (auto part = allocate_part(*results, bytes)) {
                memory_ = std::move(part->memory);
                capacity_ = bytes;
                in_ = results.get();
                place_ = part->place;
                return;
            }
        }
    }
    constexpr std::align_val_t alignment{arena_alignment};
    auto* const made = static_cast<std::byte*>(::operator new(bytes, alignment));
    memory_.reset(made, [](std::byte* bytes_here) { ::operator delete(bytes_here, alignment); });
    capacity_ = bytes;
    os::expect_large_write(made, bytes);
}

PROCPOOL_COMPILED_APART bool buffer_memory::append_place(const sink& out, std::size_t size) const {
    if (!in_ || !may_be_large_part(out, size) || out.large->memory.get() != in_) return false;
    out.large->parts.push_back(memory_);
    out.large->bytes += size;
    header_of_part(memory_.get()).is.size = size;
    out.to.append_value(std::uint64_t{size} | lies_in_arena);
    out.to.append_value(place_);
    in_ = nullptr;
    return true;
}

PROCPOOL_COMPILED_APART void buffer_memory::append_to(const sink& out, std::size_t size) const {
    if (!append_place(out, size)) append_bulk(out, data(), size);
}

PROCPOOL_COMPILED_APART std::pair<buffer_memory, std::size_t> buffer_memory::take(cursor& from) {
    cursor ahead = from;
    if (const auto size = ahead.value<std::uint64_t>(); (size & lies_in_arena) != 0) {
        const std::size_t bytes = size & ~lies_in_arena;
        if (auto kept = borrow_part(ahead.value<arena_place>(), bytes)) {
            buffer_memory memory;
            memory.memory_ = std::move(kept);
            memory.capacity_ = bytes;
            from = ahead;
            return {std::move(memory), bytes};
        }
    }
    const auto bytes = take_bulk(from);
    buffer_memory memory(bytes.size());
    if (!bytes.empty()) std::memcpy(memory.data(), bytes.data(), bytes.size());
    return {std::move(memory), bytes.size()};
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
