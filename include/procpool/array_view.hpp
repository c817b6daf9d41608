// SPDX-License-Identifier: MIT
// A view of elements in several dimensions that somebody else owns, as std::span is of one.
#ifndef PROCPOOL_ARRAY_VIEW_HPP
#define PROCPOOL_ARRAY_VIEW_HPP

#include <array>
#include <cassert>
#include <cstddef>
#include <iterator>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "procpool/array_shape.hpp"

namespace procpool {
namespace detail {

/// Walks the elements of a view, the last index fastest.
template <class T, std::size_t Rank>
class array_iterator {
public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::remove_cv_t<T>;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;
    using sizes = std::array<std::size_t, Rank>;

    array_iterator() noexcept = default;
    array_iterator(T* first, const sizes& shape, const sizes& strides, std::size_t left) noexcept
        : at_(first), shape_(shape), strides_(strides), left_(left) {}

    T& operator*() const noexcept { return *at_; }
    T* operator->() const noexcept { return at_; }
    array_iterator& operator++() noexcept {
        --left_;
        for (std::size_t d = Rank; d-- > 0;) {
            if (++index_[d] < shape_[d]) {
                at_ += strides_[d];
                break;
            }
            index_[d] = 0;
            at_ -= (shape_[d] - 1) * strides_[d];
        }
        return *this;
    }
    array_iterator operator++(int) noexcept {
        array_iterator before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const array_iterator& a, const array_iterator& b) noexcept {
        return a.left_ == b.left_;
    }

private:
    T* at_ = nullptr;
    sizes shape_{};
    sizes strides_{};
    sizes index_{};
    std::size_t left_ = 0;
};

}  // namespace detail

/// Elements in `Rank` dimensions that somebody else owns; copying a view copies no element.
///
/// Like std::span it is as good as what it points to, a const view gives writable elements, and
/// ArrayView<const T, Rank>, to which it converts, doesn't. It can't be sent to a task: send the
/// SharedArray, and the index of what is viewed.
template <class T, std::size_t Rank>
class ArrayView {
    static_assert(Rank > 0, "procpool: an array has at least one dimension");

public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using iterator = detail::array_iterator<T, Rank>;

    /// No elements: all sizes are 0.
    constexpr ArrayView() noexcept = default;

    /// Elements side by side from `data` on, the last index fastest.
    constexpr ArrayView(T* data, const std::array<std::size_t, Rank>& shape) noexcept
        : ArrayView(data, shape, detail::row_major_strides(shape)) {}

    /// Element (i, j, ...) is data[i * strides[0] + j * strides[1] + ...].
    constexpr ArrayView(T* data, const std::array<std::size_t, Rank>& shape,
                        const std::array<std::size_t, Rank>& strides) noexcept
        : data_(data), shape_(shape), strides_(strides) {}

    template <class U>
        requires(std::is_const_v<T> && std::is_same_v<const U, T>)
    constexpr ArrayView(const ArrayView<U, Rank>& view) noexcept
        : ArrayView(view.data(), view.shape(), view.strides()) {}

    static constexpr std::size_t rank() noexcept { return Rank; }

    /// The element at as many indices as there are dimensions, of any integer types; they are not checked.
    template <class... Indices>
    constexpr T& operator()(Indices... indices) const noexcept {
        check_indices<Indices...>();
        assert(contains(indices...) && "procpool: index outside of the array");
        return data_[offset_of(indices...)];
    }

    /// The same, checked.
    /// @throws std::out_of_range
    template <class... Indices>
    constexpr T& at(Indices... indices) const {
        check_indices<Indices...>();
        if (!contains(indices...)) throw_outside(indices...);
        return data_[offset_of(indices...)];
    }

    /// The view of what has this first index; with one dimension, the element itself. It is not checked.
    template <class Index>
    constexpr decltype(auto) operator[](Index index) const noexcept {
        static_assert(std::is_integral_v<Index>, "procpool: an index is an integer");
        const auto i = static_cast<std::size_t>(index);
        assert(i < shape_[0] && "procpool: index outside of the array");
        if constexpr (Rank == 1) {
            return static_cast<T&>(data_[i * strides_[0]]);
        } else {
            std::array<std::size_t, Rank - 1> shape{};
            std::array<std::size_t, Rank - 1> strides{};
            for (std::size_t d = 1; d < Rank; ++d) {
                shape[d - 1] = shape_[d];
                strides[d - 1] = strides_[d];
            }
            return ArrayView<T, Rank - 1>(data_ + i * strides_[0], shape, strides);
        }
    }

    constexpr T* data() const noexcept { return data_; }
    /// Number of elements in each dimension.
    constexpr const std::array<std::size_t, Rank>& shape() const noexcept { return shape_; }
    /// How many elements (not bytes) lie between one index and the next, in each dimension.
    constexpr const std::array<std::size_t, Rank>& strides() const noexcept { return strides_; }
    /// Number of elements.
    constexpr std::size_t size() const noexcept {
        std::size_t product = 1;
        for (const std::size_t size : shape_) product *= size;
        return product;
    }
    constexpr bool empty() const noexcept { return size() == 0; }

    /// True if the elements lie side by side in order, as in a SharedArray and what operator[] gives of it.
    constexpr bool is_contiguous() const noexcept {
        const auto compact = detail::row_major_strides(shape_);
        for (std::size_t d = 0; d < Rank; ++d)
            if (shape_[d] > 1 && strides_[d] != compact[d]) return empty();
        return true;
    }

    /// All elements in order, the last index fastest.
    /// @throws std::logic_error unless is_contiguous()
    constexpr std::span<T> span() const {
        if (!is_contiguous())
            throw std::logic_error(
                "procpool: the elements of this view don't lie side by side, so it has no span");
        return {data_, size()};
    }

    /// Forward iterators, in the same order, whether contiguous or not; span() is faster.
    constexpr iterator begin() const noexcept { return {data_, shape_, strides_, size()}; }
    constexpr iterator end() const noexcept { return {data_, shape_, strides_, 0}; }

private:
    template <class... Indices>
    static constexpr void check_indices() noexcept {
        static_assert(sizeof...(Indices) == Rank,
                      "procpool: rank mismatch: an element has as many indices as the array has dimensions");
        static_assert((std::is_integral_v<Indices> && ...), "procpool: an index is an integer");
    }

    template <class... Indices>
    constexpr bool contains(Indices... indices) const noexcept {
        std::size_t d = 0;
        // A negative index becomes one that is too great.
        return ((static_cast<std::size_t>(indices) < shape_[d++]) && ...);
    }

    template <class... Indices>
    constexpr std::size_t offset_of(Indices... indices) const noexcept {
        std::size_t d = 0;
        std::size_t offset = 0;
        ((offset += static_cast<std::size_t>(indices) * strides_[d++]), ...);
        return offset;
    }

    template <class... Indices>
    [[noreturn]] void throw_outside(Indices... indices) const {
        std::string text;
        ((text += (text.empty() ? "(" : ", ") + std::to_string(indices)), ...);
        throw std::out_of_range("procpool: index " + text + ") is outside of an array of shape " +
                                detail::shape_text(shape_));
    }

    T* data_ = nullptr;
    std::array<std::size_t, Rank> shape_{};
    std::array<std::size_t, Rank> strides_{};
};

namespace detail::wire {

template <class T>
struct codec;

/// Its bytes would be those of a pointer.
template <class T, std::size_t Rank>
struct codec<ArrayView<T, Rank>> {
    static constexpr bool sendable = false;
};

}  // namespace detail::wire
}  // namespace procpool

template <class T, std::size_t Rank>
inline constexpr bool std::ranges::enable_borrowed_range<procpool::ArrayView<T, Rank>> = true;
template <class T, std::size_t Rank>
inline constexpr bool std::ranges::enable_view<procpool::ArrayView<T, Rank>> = true;

#endif
