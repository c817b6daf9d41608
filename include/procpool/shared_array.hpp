// SPDX-License-Identifier: MIT
// SharedArray<T, Rank>: an array that a process and the workers of its pools see at once, without copies.
#ifndef PROCPOOL_SHARED_ARRAY_HPP
#define PROCPOOL_SHARED_ARRAY_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/array_options.hpp"
#include "procpool/array_shape.hpp"
#include "procpool/array_view.hpp"
#include "procpool/detail/nested_list.hpp"
#include "procpool/detail/os/shared_segment.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/handle.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

namespace detail {

/// An array on its way to another process; its shape follows.
struct array_handle {
    char element_kind = 0;  // the letters of NumPy's dtypes
    unsigned char rank = 0;
    std::uint16_t huge_pages = 0;
    std::uint32_t element_size = 0;
    std::uint64_t offset = 0;  // of the first element in the memory, in bytes
    os::segment_handle memory{};

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

template <class T, std::size_t Rank>
void is_array_view(const ArrayView<T, Rank>&);

/// What has elements in one dimension only, unlike an ArrayView of more.
template <class Range, class T>
concept elements_of =
    std::ranges::forward_range<Range> && std::is_assignable_v<T&, std::ranges::range_reference_t<Range>> &&
    !requires(const std::remove_cvref_t<Range>& range) { is_array_view(range); };

}  // namespace detail

/// SharedArray<T>, of any number of dimensions, is defined in <procpool/dynamic_array.hpp>.
template <class T, std::size_t Rank = dynamic_rank>
class SharedArray {
public:
    SharedArray() = default;
    explicit SharedArray(std::vector<std::size_t> shape, const ArrayOptions& options = {});

    static_assert(Rank != dynamic_rank,
                  "procpool: for a SharedArray<T> of any number of dimensions include "
                  "<procpool/dynamic_array.hpp>, or say how many it has, SharedArray<T, 2>");
};

/// An array in shared memory: workers read and write the elements themselves, what travels is a handle.
///
/// It is an ArrayView that keeps its elements alive: a copy is another handle of the same elements, whose
/// memory is freed when the last handle in any process is gone. As with std::span a const handle gives
/// writable elements; a SharedArray<const T, Rank>, to which it converts, doesn't, and a worker that gets one
/// has the memory mapped read-only: a stray write there is a crash of that worker and harms nobody else.
/// Elements start as zero bytes and lie side by side, the last index fastest. What is cut from it, as by
/// operator[] and slice(), is a view, good for as long as a handle in this process is. Tasks get an array as
/// an argument, through partial(), inside of what cereal serialises, or return one; what a forked process
/// inherits in a variable is not mapped there.
///
/// Threads and processes may use different elements at once; one element that somebody writes while others
/// use it is a data race, as between threads (std::atomic_ref works between processes too). Copying and
/// destroying handles is as safe as with std::shared_ptr. An array takes a file descriptor in each process.
template <class T, std::size_t Rank>
    requires(Rank != dynamic_rank)
class SharedArray<T, Rank> : public ArrayView<T, Rank>,
                             public detail::wire::travels_as_handle<SharedArray<T, Rank>> {
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
    explicit SharedArray(const Shape& dimensions, const ArrayOptions& options = {}) {
        const auto sizes = ArrayShape<Rank>(dimensions).sizes();
        if (const std::size_t bytes = detail::bytes_of_shape(sizes, sizeof(T)))
            segment_ = detail::os::shared_segment::create(bytes, options);
        show(sizes);
    }

    /// New elements, listed: `SharedArray<int, 1>::of({1, 2, 3})`, or with more dimensions
    /// `SharedArray<int, 2>::of({{1, 2}, {3, 4}})`. (In the constructor, braces are a shape.)
    /// @throws std::invalid_argument if the inner lists differ in length
    /// @throws std::system_error as the constructor does
    static SharedArray of(detail::nested_list<std::remove_const_t<T>, Rank> elements,
                          const ArrayOptions& options = {}) {
        writable made(detail::sizes_of<Rank>(elements), options);
        auto at = made.begin();
        detail::for_each_element<Rank>(elements, [&](const auto& element) { *at++ = element; });
        return made;
    }

    /// A copy of the elements of a range, as std::vector or std::span: `SharedArray<float, 1>::of(weights)`.
    /// @throws std::system_error as the constructor does
    template <class Range>
        requires(Rank == 1 && detail::elements_of<Range, std::remove_const_t<T>>)
    static SharedArray of(Range&& elements, const ArrayOptions& options = {}) {
        writable made({std::ranges::distance(elements)}, options);
        made.copy_from(elements);
        return made;
    }

    /// A copy of what a view shows, side by side in the view's order: `of(images.transposed())`.
    /// @throws std::system_error as the constructor does
    template <class U>
        requires std::is_assignable_v<std::remove_const_t<T>&, U&>
    static SharedArray of(const ArrayView<U, Rank>& view, const ArrayOptions& options = {}) {
        writable made(view.shape(), options);
        if (view.is_contiguous())
            made.copy_from(view.span());
        else
            made.copy_from(view);
        return made;
    }

    /// The elements that a file holds, as numpy.memmap: they lie there from byte `offset` on, in the
    /// machine's own representation, and are read when they are first used. Workers map the file, too; it may
    /// be renamed or deleted meanwhile. If somebody shortens it, to use what is missing is a fault (SIGBUS).
    /// @throws std::invalid_argument if `offset` is no multiple of the elements' alignment
    /// @throws std::length_error if the sizes overflow
    /// @throws std::system_error if the file can't be opened
    /// @throws Error if it is too short, or no regular file
    static SharedArray map_file(const std::string& path, const ArrayShape<Rank>& shape,
                                std::uint64_t offset = 0)
        requires(std::is_const_v<T>)
    {
        if (offset % alignof(T) != 0)
            throw std::invalid_argument("procpool: elements that begin at byte " + std::to_string(offset) +
                                        " of " + path + " can't be mapped: they are aligned to " +
                                        std::to_string(alignof(T)) + " bytes");
        SharedArray mapped;
        if (const std::size_t bytes = detail::bytes_of_shape(shape.sizes(), sizeof(T))) {
            if (offset > std::numeric_limits<std::uint64_t>::max() - bytes)
                throw std::length_error("procpool: no file has elements at byte " + std::to_string(offset));
            mapped.segment_ = detail::os::shared_segment::open_file(path, offset + bytes);
        }
        mapped.show(shape.sizes(), offset);
        return mapped;
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
    /// Iterates over all elements in that order.
    iterator begin() const noexcept { return data(); }
    iterator end() const noexcept { return data() + size(); }

    /// All elements, with their shape, without a copy.
    ArrayView<T, Rank> view() const noexcept { return static_cast<const ArrayView<T, Rank>&>(*this); }

    /// Where other programs of the same user find the memory, as a file that holds the elements and can be
    /// mapped: "/proc/PID/fd/N", for numpy.memmap for instance. It is good while a handle in this process is.
    /// (Those of map_file() begin at its offset.) Empty if there are no elements.
    std::string path() const { return segment_ ? segment_->path() : std::string(); }

private:
    template <class, std::size_t>
    friend class SharedArray;
    friend detail::wire::travels_as_handle<SharedArray>;
    friend detail::wire::codec<SharedArray>;
    using writable = SharedArray<std::remove_const_t<T>, Rank>;

    void encode(const detail::wire::sink& out) const {
        detail::array_handle handle = kind();
        if (segment_) {
            handle.huge_pages = segment_->wants_huge_pages();
            handle.offset = offset();
            handle.memory = segment_->handle();
        }
        out.to.append_value(handle);
        out.to.append_value(shape());
        if (segment_) out.held.push_back(segment_);
    }

    static SharedArray decode(detail::wire::cursor& from) {
        const auto handle = from.value<detail::array_handle>();
        require_same_kind(handle);
        return opened(from.value<std::array<std::size_t, Rank>>(), handle);
    }

    static SharedArray opened(const std::array<std::size_t, Rank>& sizes,
                              const detail::array_handle& handle) {
        std::size_t bytes = 0;
        try {
            bytes = detail::bytes_of_shape(sizes, sizeof(T));
        } catch (const std::length_error& error) {
            throw SerializationError(error.what());
        }
        const std::uint64_t there = handle.memory.size;
        if (handle.offset % alignof(T) != 0 || bytes > there || handle.offset > there - bytes)
            throw SerializationError("procpool: a shared array of shape " + detail::shape_text(sizes) +
                                     " arrived at byte " + std::to_string(handle.offset) + " of " +
                                     std::to_string(there) + " bytes of memory");
        using detail::os::access, detail::os::shared_segment;
        constexpr access mode = std::is_const_v<T> ? access::read_only : access::read_write;
        SharedArray array;
        if (bytes != 0) {
            array.segment_ = shared_segment::open(handle.memory, mode);
            if (handle.huge_pages && !array.segment_->wants_huge_pages()) array.segment_->want_huge_pages();
        }
        array.show(sizes, handle.offset);
        return array;
    }

    /// Of the first element in the memory, in bytes.
    std::uint64_t offset() const noexcept {
        return static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(data()) - segment_->data());
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

    void show(const std::array<std::size_t, Rank>& sizes, std::uint64_t offset = 0) noexcept {
        T* const first = segment_ ? std::launder(reinterpret_cast<T*>(segment_->data() + offset)) : nullptr;
        static_cast<ArrayView<T, Rank>&>(*this) = ArrayView<T, Rank>(first, sizes);
    }

    std::shared_ptr<detail::os::shared_segment> segment_;
};

/// A copy of a range's elements that all processes may read and none can write:
/// `pool.map(mp::partial(score, mp::share(weights)), files)`. A worker that writes to it all the same
/// crashes, alone; the type of a parameter for it is SharedArray<const T, 1>.
/// @throws std::system_error as SharedArray's constructor does
template <std::ranges::forward_range Range>
    requires detail::elements_of<Range, std::ranges::range_value_t<Range>>
auto share(Range&& elements, const ArrayOptions& options = {}) {
    return SharedArray<const std::ranges::range_value_t<Range>, 1>::of(elements, options);
}

/// The same of what a view shows, with its shape.
/// @throws std::system_error as SharedArray's constructor does
template <class T, std::size_t Rank>
SharedArray<const T, Rank> share(const ArrayView<T, Rank>& view, const ArrayOptions& options = {}) {
    return SharedArray<const T, Rank>::of(view, options);
}

/// Another handle of what is shared already, without a copy.
template <class T, std::size_t Rank>
SharedArray<const T, Rank> share(const SharedArray<T, Rank>& array) noexcept {
    return array;
}

}  // namespace procpool::inline v0_1

#endif
