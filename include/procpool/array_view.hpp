// SPDX-License-Identifier: MIT
// A view of elements in several dimensions that somebody else owns, as std::span is of one.
#ifndef PROCPOOL_ARRAY_VIEW_HPP
#define PROCPOOL_ARRAY_VIEW_HPP

#include <algorithm>
#include <array>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/array_shape.hpp"
#include "procpool/array_slice.hpp"
#include "procpool/detail/array_iterator.hpp"

namespace procpool::inline v0_1 {

template <class T, std::size_t Rank>
class ArrayView;

namespace detail {

/// The sub-arrays of an array at all first indices.
template <class T, std::size_t Rank>
class array_rows {
public:
    class iterator {
    public:
        using iterator_concept = std::forward_iterator_tag;
        using value_type = std::remove_cvref_t<decltype(std::declval<const ArrayView<T, Rank>&>()[0])>;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() noexcept = default;
        constexpr iterator(const ArrayView<T, Rank>& of, std::size_t at) noexcept : of_(of), at_(at) {}
        constexpr decltype(auto) operator*() const noexcept { return of_[at_]; }
        constexpr iterator& operator++() noexcept {
            ++at_;
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            iterator before = *this;
            ++*this;
            return before;
        }
        friend constexpr bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.at_ == b.at_;
        }

    private:
        ArrayView<T, Rank> of_;
        std::size_t at_ = 0;
    };

    constexpr explicit array_rows(const ArrayView<T, Rank>& of) noexcept : of_(of) {}
    constexpr iterator begin() const noexcept { return {of_, 0}; }
    constexpr iterator end() const noexcept { return {of_, size()}; }
    constexpr std::size_t size() const noexcept { return of_.shape()[0]; }

private:
    ArrayView<T, Rank> of_;
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
                        const std::array<std::ptrdiff_t, Rank>& strides) noexcept
        : data_(data), shape_(shape), strides_(strides) {}

    /// A view of the same elements, by which they can't be written to.
    template <class U>
        requires(std::is_const_v<T> && std::is_same_v<const U, T>)
    constexpr ArrayView(const ArrayView<U, Rank>& view) noexcept
        : ArrayView(view.data(), view.shape(), view.strides()) {}

    /// Number of dimensions.
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
            return static_cast<T&>(data_[static_cast<std::ptrdiff_t>(i) * strides_[0]]);
        } else {
            std::array<std::size_t, Rank - 1> shape{};
            std::array<std::ptrdiff_t, Rank - 1> strides{};
            std::copy(shape_.begin() + 1, shape_.end(), shape.begin());
            std::copy(strides_.begin() + 1, strides_.end(), strides.begin());
            return ArrayView<T, Rank - 1>(data_ + static_cast<std::ptrdiff_t>(i) * strides_[0], shape,
                                          strides);
        }
    }

    /// Where the element is whose indices are all 0.
    constexpr T* data() const noexcept { return data_; }
    /// Number of elements in each dimension.
    constexpr const std::array<std::size_t, Rank>& shape() const noexcept { return shape_; }
    /// How many elements (not bytes) lie between one index and the next, in each dimension.
    constexpr const std::array<std::ptrdiff_t, Rank>& strides() const noexcept { return strides_; }
    /// Number of elements.
    constexpr std::size_t size() const noexcept {
        std::size_t product = 1;
        for (const std::size_t size : shape_) product *= size;
        return product;
    }
    /// Whether there are no elements.
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

    // ---- other views of the same elements

    /// Some indices of a dimension: `image.slice(0, {.from = 10, .to = 20})`, `image.slice(1, {.step = -1})`.
    /// @throws std::out_of_range if there is no such dimension
    /// @throws std::invalid_argument if the step is 0
    constexpr ArrayView slice(std::size_t dimension, const ArraySlice& which) const {
        if (dimension >= Rank)
            throw std::out_of_range("procpool: there is no dimension " + std::to_string(dimension) +
                                    " in an array of shape " + detail::shape_text(shape_));
        const auto [first, count] = which.of(shape_[dimension]);
        ArrayView result = *this;
        if (count > 0) result.data_ += static_cast<std::ptrdiff_t>(first) * strides_[dimension];
        result.shape_[dimension] = count;
        result.strides_[dimension] *= which.step;
        return result;
    }

    /// The sub-arrays at all first indices, to be looped over; with one dimension, the elements.
    constexpr detail::array_rows<T, Rank> rows() const noexcept { return detail::array_rows<T, Rank>(*this); }

    /// The dimensions in the opposite order: element (i, j) is (j, i) of this.
    constexpr ArrayView transposed() const noexcept {
        ArrayView result = *this;
        std::reverse(result.shape_.begin(), result.shape_.end());
        std::reverse(result.strides_.begin(), result.strides_.end());
        return result;
    }

    /// The dimensions in any order: number d of the result is number order[d] of this.
    /// @throws std::invalid_argument unless `order` has each dimension once
    constexpr ArrayView transposed(const std::array<std::size_t, Rank>& order) const {
        ArrayView result = *this;
        std::array<bool, Rank> seen{};
        for (std::size_t d = 0; d < Rank; ++d) {
            if (order[d] >= Rank || std::exchange(seen[order[d]], true))
                throw std::invalid_argument("procpool: " + detail::shape_text(order) +
                                            " doesn't name each dimension of an array once");
            result.shape_[d] = shape_[order[d]];
            result.strides_[d] = strides_[order[d]];
        }
        return result;
    }

    /// The same elements, in order, in another shape: `view.template reshape<2>({rows, cols})`.
    /// @throws std::invalid_argument if that has another number of elements
    /// @throws std::logic_error unless is_contiguous(): to reshape would be to copy
    template <std::size_t NewRank>
    constexpr ArrayView<T, NewRank> reshape(const ArrayShape<NewRank>& shape) const {
        if (detail::bytes_of_shape(shape.sizes(), 1) != size())
            throw std::invalid_argument("procpool: an array of shape " + detail::shape_text(shape_) +
                                        " can't have the shape " + detail::shape_text(shape.sizes()));
        return {span().data(), shape.sizes()};
    }

    // ---- all elements at once

    /// Sets all elements.
    constexpr void fill(const value_type& value) const
        requires(!std::is_const_v<T>)
    {
        if (is_contiguous())
            std::fill_n(data_, size(), value);
        else
            std::fill(begin(), end(), value);
    }

    /// Sets all elements, in order, to those of a range.
    /// @throws std::invalid_argument if that has another number of elements
    template <std::ranges::forward_range Range>
        requires(!std::is_const_v<T> && std::is_assignable_v<T&, std::ranges::range_reference_t<Range>>)
    constexpr void copy_from(Range&& values) const {
        const auto count = static_cast<std::size_t>(std::ranges::distance(values));
        if (count != size())
            throw std::invalid_argument("procpool: " + std::to_string(count) +
                                        " values can't fill an array of shape " + detail::shape_text(shape_));
        if (is_contiguous())
            std::ranges::copy(values, data_);
        else
            std::ranges::copy(values, begin());
    }

    /// A copy of all elements, in order.
    constexpr std::vector<value_type> to_vector() const {
        if (is_contiguous()) return std::vector<value_type>(data_, data_ + size());
        return std::vector<value_type>(begin(), end());
    }

    /// Whether both have the same shape and equal elements.
    template <class U>
        requires std::equality_comparable_with<const value_type&, const U&>
    friend constexpr bool operator==(const ArrayView& a, const ArrayView<U, Rank>& b) {
        return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.begin());
    }

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
    constexpr std::ptrdiff_t offset_of(Indices... indices) const noexcept {
        std::size_t d = 0;
        std::ptrdiff_t offset = 0;
        ((offset += static_cast<std::ptrdiff_t>(indices) * strides_[d++]), ...);
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
    std::array<std::ptrdiff_t, Rank> strides_{};
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
}  // namespace procpool::inline v0_1

template <class T, std::size_t Rank>
inline constexpr bool std::ranges::enable_borrowed_range<procpool::ArrayView<T, Rank>> = true;
template <class T, std::size_t Rank>
inline constexpr bool std::ranges::enable_view<procpool::ArrayView<T, Rank>> = true;

#endif
