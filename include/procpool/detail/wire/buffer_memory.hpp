// SPDX-License-Identifier: MIT
// The bytes of a Buffer: they travel by staying where they are, where that is possible.
#ifndef PROCPOOL_DETAIL_WIRE_BUFFER_MEMORY_HPP
#define PROCPOOL_DETAIL_WIRE_BUFFER_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/forward.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Memory for a number of bytes, aligned to 64: in a worker a piece of the arena for its results, if that has
/// room; in the program that piece, if the worker has sent it; else ordinary memory.
class buffer_memory {
public:
    buffer_memory() noexcept = default;
    /// Room for so many bytes, which are not cleared. @throws std::bad_alloc
    explicit buffer_memory(std::size_t bytes);
    buffer_memory(buffer_memory&& other) noexcept { swap(other); }
    buffer_memory& operator=(buffer_memory&& other) noexcept {
        buffer_memory taken(std::move(other));
        swap(taken);
        return *this;
    }

    std::byte* data() const noexcept { return memory_.get(); }
    std::size_t capacity() const noexcept { return capacity_; }

    /// Appends the first `size` bytes as append_bulk() does; if they lie in the arena of the message already,
    /// without a copy: then they are the receiver's, too, and are copied another time.
    void append_to(const sink& out, std::size_t size) const;
    /// What was appended, and its size: kept where it lies if it may stay there, else copied.
    static std::pair<buffer_memory, std::size_t> take(cursor& from);

private:
    void swap(buffer_memory& other) noexcept {
        memory_.swap(other.memory_);
        std::swap(capacity_, other.capacity_);
        std::swap(in_, other.in_);
        std::swap(place_, other.place_);
    }
    bool append_place(const sink& out, std::size_t size) const;

    std::shared_ptr<std::byte> memory_;
    std::size_t capacity_ = 0;
    mutable const arena* in_ = nullptr;  // null unless this process may send it by its place
    arena_place place_;
};

}  // namespace procpool::inline v0_1::detail::wire

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/buffer_memory_impl.hpp"
#endif

#endif
