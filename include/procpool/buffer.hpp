// SPDX-License-Identifier: MIT
// Buffer<T>: a large result that is never copied on its way from a worker.
#ifndef PROCPOOL_BUFFER_HPP
#define PROCPOOL_BUFFER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <new>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/wire/buffer_memory.hpp"
#include "procpool/detail/wire/forward.hpp"
#include "procpool/detail/wire/pointer_check.hpp"

namespace procpool::inline v0_1 {
namespace detail::wire {
template <class T>
struct codec;
}  // namespace detail::wire

/// An array of plain data that a task makes, fills and returns:
/// `mp::Buffer<float> out(n); ...; return out;`
///
/// In a worker of a Pool one of 64 KiB or more lies in shared memory from the start. When the task returns
/// it, by itself or as a member of what cereal serialises, the caller's Buffer is the same memory: nothing is
/// copied. It stays there until that Buffer is destroyed, also when the worker has died or the pool has
/// ended. What a program keeps counts towards PoolOptions::arena_limit; further results are copied as vectors
/// are, so nothing waits. As an argument, from a ThreadPool and from other machines it is a vector: it is
/// copied, or is ordinary memory.
///
/// Elements are side by side, aligned to 64 bytes, and not cleared. A Buffer can be moved and not copied. It
/// is as safe in threads as std::vector. In a forked child that inherits one its elements are not mapped.
template <class T>
class Buffer {
    static_assert(
        std::is_trivially_copyable_v<T> && std::is_same_v<T, std::remove_cv_t<T>>,
        "procpool: the elements of a Buffer are plain data (numbers, or trivially copyable structs of "
        "them), and not const");
    static_assert(!std::is_pointer_v<T> && !std::is_member_pointer_v<T>,
                  "procpool: a Buffer can't hold pointers: they mean nothing in another process");
    static_assert(!std::is_same_v<T, bool>,
                  "procpool: a Buffer can't hold bool, of which no process believes another's bytes; use "
                  "unsigned char");
    static_assert(alignof(T) <= 64, "procpool: the elements of a Buffer are aligned to 64 bytes at the most");

public:
    using value_type = T;
    using size_type = std::size_t;
    using iterator = T*;
    using const_iterator = const T*;

    Buffer() noexcept = default;
    /// `count` elements with no particular values.
    /// @throws std::bad_alloc if there is no memory for them
    explicit Buffer(std::size_t count) : memory_(bytes_for(count)), size_(count) {}
    /// `count` elements that are all `value`. @throws std::bad_alloc
    Buffer(std::size_t count, const T& value) : Buffer(count) {
        std::uninitialized_fill_n(data(), count, value);
    }
    /// A copy of the elements of a range, as of a std::vector. @throws std::bad_alloc
    template <std::ranges::input_range Range>
        requires(std::ranges::sized_range<Range> &&
                 std::is_convertible_v<std::ranges::range_reference_t<Range>, T> &&
                 !std::is_same_v<std::remove_cvref_t<Range>, Buffer>)
    explicit Buffer(Range&& elements) : Buffer(static_cast<std::size_t>(std::ranges::size(elements))) {
        if constexpr (std::ranges::contiguous_range<Range> &&
                      std::is_same_v<std::ranges::range_value_t<Range>, T>) {
            if (size_ > 0) std::memcpy(memory_.data(), std::ranges::data(elements), size_ * sizeof(T));
        } else {
            T* to = data();
            for (auto&& element : elements) new (to++) T(element);
        }
    }

    Buffer(Buffer&& other) noexcept
        : memory_(std::move(other.memory_)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        memory_ = std::move(other.memory_);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }
    ~Buffer() = default;

    T* data() noexcept { return reinterpret_cast<T*>(memory_.data()); }
    const T* data() const noexcept { return reinterpret_cast<const T*>(memory_.data()); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    /// So many elements it can have without moving them to other memory.
    std::size_t capacity() const noexcept { return memory_.capacity() / sizeof(T); }

    T& operator[](std::size_t i) noexcept { return data()[i]; }
    const T& operator[](std::size_t i) const noexcept { return data()[i]; }
    iterator begin() noexcept { return data(); }
    iterator end() noexcept { return data() + size_; }
    const_iterator begin() const noexcept { return data(); }
    const_iterator end() const noexcept { return data() + size_; }

    /// All elements: as std::span(buffer), for where that isn't deduced.
    std::span<T> span() noexcept { return {data(), size_}; }
    std::span<const T> span() const noexcept { return {data(), size_}; }
    /// A copy.
    operator std::vector<T>() const { return {begin(), end()}; }

    /// So many elements: the first ones stay, new ones have no particular values. To make it smaller moves
    /// nothing and frees nothing. @throws std::bad_alloc
    void resize(std::size_t count) {
        reserve(count);
        size_ = count;
    }
    /// Makes capacity() at least `count`. @throws std::bad_alloc
    void reserve(std::size_t count) {
        if (count <= capacity()) return;
        detail::wire::buffer_memory larger(bytes_for(count));
        if (size_ > 0) std::memcpy(larger.data(), memory_.data(), size_ * sizeof(T));
        memory_ = std::move(larger);
    }
    /// Appends an element; capacity() doubles where it isn't enough. @throws std::bad_alloc
    void push_back(const T& element) {
        const T copy = element;  // it may be one of ours
        if (size_ == capacity()) reserve(std::max<std::size_t>(16, 2 * size_));
        new (data() + size_++) T(copy);
    }

    /// For cereal, in procpool's own messages.
    template <class Archive>
    void save(Archive& archive) const {
        static_assert(
            std::is_same_v<Archive, detail::wire::output_archive>,
            "procpool: a Buffer travels in procpool's own messages; to a file, save a std::vector of it");
        if constexpr (std::is_same_v<Archive, detail::wire::output_archive>) encode(archive.to());
    }
    /// For cereal, in procpool's own messages. @throws SerializationError if this is something else
    template <class Archive>
    void load(Archive& archive) {
        static_assert(std::is_same_v<Archive, detail::wire::input_archive>,
                      "procpool: a Buffer can only be read from procpool's own messages");
        if constexpr (std::is_same_v<Archive, detail::wire::input_archive>) *this = decode(archive.from());
    }

private:
    friend detail::wire::codec<Buffer>;

    static std::size_t bytes_for(std::size_t count) {
        if (count > std::numeric_limits<std::size_t>::max() / 4 / sizeof(T))
            throw std::bad_array_new_length();
        return count * sizeof(T);
    }

    void encode(const detail::wire::sink& out) const {
        detail::wire::refuse_pointers(data(), size_);
        memory_.append_to(out, size_ * sizeof(T));
    }
    static Buffer decode(detail::wire::cursor& from) {
        Buffer made;
        auto [memory, bytes] = detail::wire::buffer_memory::take(from);
        made.memory_ = std::move(memory);
        made.size_ = bytes / sizeof(T);
        return made;
    }

    detail::wire::buffer_memory memory_;
    std::size_t size_ = 0;
};

namespace detail::wire {

/// As a vector's, but that bytes may stay where they are.
template <class T>
struct codec<Buffer<T>> {
    static constexpr bool sendable = true;
    static void encode(const sink& out, const Buffer<T>& value) { value.encode(out); }
    static Buffer<T> decode(cursor& from) { return Buffer<T>::decode(from); }
};

}  // namespace detail::wire
}  // namespace procpool::inline v0_1

#endif
