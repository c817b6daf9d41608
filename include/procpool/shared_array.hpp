// SPDX-License-Identifier: MIT
// SharedArray<T, Rank>: an array that a process and the workers of its pools see at once, without copies.
#ifndef PROCPOOL_SHARED_ARRAY_HPP
#define PROCPOOL_SHARED_ARRAY_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "procpool/array_shape.hpp"
#include "procpool/array_view.hpp"
#include "procpool/detail/posix/shared_segment.hpp"
#include "procpool/detail/wire/archive.hpp"
#include "procpool/error.hpp"

namespace procpool {

namespace detail {

/// An array on its way to another process; its shape follows.
struct array_handle {
    char element_kind = 0;  // the letters of NumPy's dtypes
    unsigned char rank = 0;
    std::uint16_t reserved = 0;
    std::uint32_t element_size = 0;
    posix::segment_handle memory{};

    friend std::string text_of(const array_handle& handle) {
        return "rank " + std::to_string(handle.rank) + " with elements of " +
               std::to_string(handle.element_size) + " bytes (kind '" + handle.element_kind + "')";
    }
};

template <class T>
consteval char element_kind() {
    if constexpr (std::is_same_v<T, bool>) return 'b';
    if constexpr (std::is_floating_point_v<T>) return 'f';
    if constexpr (std::is_integral_v<T>) return std::is_signed_v<T> ? 'i' : 'u';
    return 'V';
}

}  // namespace detail

/// An array in shared memory: workers read and write the elements themselves, what travels is a handle.
///
/// It is an ArrayView that keeps its elements alive: a copy is another handle of the same elements, whose
/// memory is freed when the last handle in any process is gone. As with std::span a const handle gives
/// writable elements; a SharedArray<const T, Rank>, to which it converts, doesn't, and a worker that gets one
/// has the memory mapped read-only: a stray write there is a crash of that worker and harms nobody else.
/// Elements start as zero bytes and lie side by side, the last index fastest. What is cut
/// from it, as by operator[] and slice(), is a view, good for as long as a handle in this process is. Tasks
/// get an array as an argument, through partial(), inside of what cereal serialises, or return one; what a
/// forked process inherits in a variable is not mapped there.
///
/// Threads and processes may use different elements at once; one element that somebody writes while others
/// use it is a data race, as between threads (std::atomic_ref works between processes too). Copying and
/// destroying handles is as safe as with std::shared_ptr. An array takes a file descriptor in each process.
template <class T, std::size_t Rank>
class SharedArray : public ArrayView<T, Rank> {
    static_assert(Rank > 0 && Rank < 256, "procpool: a SharedArray has from 1 to 255 dimensions");
    static_assert(!std::is_volatile_v<T>, "procpool: the elements of a SharedArray are not volatile");
    static_assert(!std::is_pointer_v<T> && !std::is_member_pointer_v<T> && !std::is_reference_v<T>,
                  "procpool: a SharedArray can't hold pointers or references: they mean nothing in another "
                  "process; hold indices, or the values themselves");
    static_assert(std::is_trivially_copyable_v<T>,
                  "procpool: the elements of a SharedArray are plain data (numbers, or trivially copyable "
                  "structs of them): a type that owns memory, as std::string does, can't be shared");

public:
    using iterator = T*;
    using ArrayView<T, Rank>::data, ArrayView<T, Rank>::shape, ArrayView<T, Rank>::size;

    /// No elements: all sizes are 0.
    SharedArray() noexcept = default;

    /// New elements, all zero bytes: `SharedArray<std::uint8_t, 3> images({n, rows, cols});`, or the shape()
    /// of another array. A dimension may have size 0.
    /// @throws std::invalid_argument if a size is negative
    /// @throws std::length_error if the sizes overflow
    /// @throws std::system_error with errc::not_enough_memory if the machine (with its swap) or the cgroup
    /// has less memory than that, or the system's error if it gives no memory or no file descriptor
    template <class Shape = ArrayShape<Rank>>
        requires(detail::is_shape<Shape, Rank> && !std::is_const_v<T>)
    explicit SharedArray(const Shape& dimensions) {
        const auto sizes = ArrayShape<Rank>(dimensions).sizes();
        if (const std::size_t bytes = detail::bytes_of_shape(sizes, sizeof(T)))
            segment_ = detail::posix::shared_segment::create(bytes);
        show(sizes);
    }

    /// Another handle, by which the elements can't be written to.
    template <class U>
        requires(std::is_const_v<T> && std::is_same_v<const U, T>)
    SharedArray(const SharedArray<U, Rank>& array) noexcept
        : ArrayView<T, Rank>(array.view()), segment_(array.segment_) {}

    SharedArray(const SharedArray&) noexcept = default;
    SharedArray& operator=(const SharedArray&) noexcept = default;
    /// Leaves `other` without elements.
    SharedArray(SharedArray&& other) noexcept { swap(*this, other); }
    SharedArray& operator=(SharedArray&& other) noexcept {
        SharedArray taken(std::move(other));
        swap(*this, taken);
        return *this;
    }
    ~SharedArray() = default;

    friend void swap(SharedArray& a, SharedArray& b) noexcept {
        a.segment_.swap(b.segment_);
        std::swap(static_cast<ArrayView<T, Rank>&>(a), static_cast<ArrayView<T, Rank>&>(b));
    }

    /// All elements in order, the last index fastest.
    std::span<T> span() const noexcept { return {data(), size()}; }
    iterator begin() const noexcept { return data(); }
    iterator end() const noexcept { return data() + size(); }

    /// All elements, with their shape, without a copy.
    ArrayView<T, Rank> view() const noexcept { return *this; }

    /// For cereal, in messages between the processes of a pool.
    template <class Archive>
    void save(Archive& archive) const {
        static_assert(
            std::is_same_v<Archive, detail::wire::output_archive>,
            "procpool: a SharedArray is a handle of memory that lives no longer than its processes, "
            "which only procpool's own messages can carry; to a file, save its elements");
        if constexpr (std::is_same_v<Archive, detail::wire::output_archive>) {
            detail::array_handle handle = kind();
            if (segment_) handle.memory = segment_->handle();
            archive.write(&handle, sizeof handle);
            archive.write(shape().data(), sizeof(std::size_t) * Rank);
            if (segment_) archive.pin(segment_);
        }
    }

    /// For cereal, in messages between the processes of a pool.
    /// @throws SerializationError if the owner is gone, or this is another kind of array
    template <class Archive>
    void load(Archive& archive) {
        static_assert(std::is_same_v<Archive, detail::wire::input_archive>,
                      "procpool: a SharedArray can only be read from procpool's own messages");
        if constexpr (std::is_same_v<Archive, detail::wire::input_archive>) {
            detail::array_handle handle;
            archive.read(&handle, sizeof handle);
            require_same_kind(handle);
            std::array<std::size_t, Rank> sizes{};
            archive.read(sizes.data(), sizeof(std::size_t) * Rank);
            *this = SharedArray(sizes, handle.memory);
        }
    }

private:
    template <class, std::size_t>
    friend class SharedArray;

    SharedArray(const std::array<std::size_t, Rank>& sizes, const detail::posix::segment_handle& memory) {
        std::size_t bytes = 0;
        try {
            bytes = detail::bytes_of_shape(sizes, sizeof(T));
        } catch (const std::length_error& error) {
            throw SerializationError(error.what());
        }
        if (bytes != memory.size)
            throw SerializationError("procpool: a shared array of shape " + detail::shape_text(sizes) +
                                     " arrived with " + std::to_string(memory.size) + " bytes of memory");
        using detail::posix::access, detail::posix::shared_segment;
        constexpr access mode = std::is_const_v<T> ? access::read_only : access::read_write;
        if (bytes != 0) segment_ = shared_segment::open(memory, mode);
        show(sizes);
    }

    static detail::array_handle kind() noexcept {
        return {.element_kind = detail::element_kind<std::remove_const_t<T>>(),
                .rank = Rank,
                .element_size = sizeof(T)};
    }

    static void require_same_kind(const detail::array_handle& arrived) {
        const detail::array_handle own = kind();
        const bool same_rank = arrived.rank == own.rank;
        if (same_rank && arrived.element_size == own.element_size && arrived.element_kind == own.element_kind)
            return;
        throw SerializationError(std::string(same_rank ? "procpool: element type" : "procpool: rank") +
                                 " mismatch: a shared array of " + text_of(arrived) +
                                 " arrived where one of " + text_of(own) + " was meant");
    }

    void show(const std::array<std::size_t, Rank>& sizes) noexcept {
        T* const first = segment_ ? std::launder(reinterpret_cast<T*>(segment_->data())) : nullptr;
        static_cast<ArrayView<T, Rank>&>(*this) = ArrayView<T, Rank>(first, sizes);
    }

    std::shared_ptr<detail::posix::shared_segment> segment_;
};

}  // namespace procpool

#endif
