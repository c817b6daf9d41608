// SPDX-License-Identifier: MIT
// The shape of an array: how many elements it has in each dimension, and how they lie in memory.
#ifndef PROCPOOL_ARRAY_SHAPE_HPP
#define PROCPOOL_ARRAY_SHAPE_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace procpool::inline v0_1 {

/// The rank of a SharedArray that has as many dimensions as it turns out.
inline constexpr std::size_t dynamic_rank = std::numeric_limits<std::size_t>::max();

/// Number of elements in each dimension: `{n, rows, cols}`, of any integer types.
template <std::size_t Rank>
class ArrayShape {
public:
    /// @throws std::invalid_argument if a size is negative
    template <class... Sizes>
        requires(sizeof...(Sizes) > 0 && (std::is_arithmetic_v<Sizes> && ...))
    ArrayShape(Sizes... sizes) {
        static_assert(sizeof...(Sizes) == Rank,
                      "procpool: rank mismatch: a SharedArray<T, Rank> takes one size for each dimension");
        static_assert((std::is_integral_v<Sizes> && ...), "procpool: the sizes of an array are integers");
        if constexpr (sizeof...(Sizes) == Rank) sizes_ = {checked(sizes)...};
    }

    /// @throws std::invalid_argument if a size is negative
    template <std::integral Size>
    ArrayShape(const std::array<Size, Rank>& sizes) {
        for (std::size_t d = 0; d < Rank; ++d) sizes_[d] = checked(sizes[d]);
    }

    /// The sizes, first dimension first.
    const std::array<std::size_t, Rank>& sizes() const noexcept { return sizes_; }

private:
    template <class Size>
    static std::size_t checked(Size size) {
        if constexpr (std::is_signed_v<Size>)
            if (size < 0)
                throw std::invalid_argument("procpool: an array can't have " + std::to_string(size) +
                                            " elements in a dimension");
        return static_cast<std::size_t>(size);
    }

    std::array<std::size_t, Rank> sizes_{};
};

namespace detail {

/// What the shape of a SharedArray is given as: braces, or another array's shape().
template <class Shape, std::size_t Rank>
inline constexpr bool is_shape = std::is_same_v<Shape, ArrayShape<Rank>>;
template <std::integral Size, std::size_t Rank>
inline constexpr bool is_shape<std::array<Size, Rank>, Rank> = true;

/// "(3, 4)", for messages.
inline std::string shape_text(std::span<const std::size_t> shape) {
    std::string text = "(";
    for (std::size_t d = 0; d < shape.size(); ++d)
        text.append(d > 0 ? ", " : "").append(std::to_string(shape[d]));
    return text + ")";
}

/// Bytes that an array takes.
/// @throws std::length_error if no process could address them
inline std::size_t bytes_of_shape(std::span<const std::size_t> shape, std::size_t element_size) {
    std::size_t bytes = element_size;
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
    bool empty = false;
    for (const std::size_t size : shape) {
        if (size > most / bytes)
            throw std::length_error("procpool: an array of shape " + shape_text(shape) +
                                    " with elements of " + std::to_string(element_size) +
                                    " bytes is larger than any memory");
        if (size == 0)
            empty = true;
        else
            bytes *= size;
    }
    return empty ? 0 : bytes;
}

/// Strides, in elements, of an array without gaps whose last index runs fastest.
template <std::size_t Rank>
constexpr std::array<std::ptrdiff_t, Rank> row_major_strides(
    const std::array<std::size_t, Rank>& shape) noexcept {
    std::array<std::ptrdiff_t, Rank> strides{};
    std::ptrdiff_t stride = 1;
    for (std::size_t d = Rank; d-- > 0;) {
        strides[d] = stride;
        stride *= static_cast<std::ptrdiff_t>(shape[d]);
    }
    return strides;
}

}  // namespace detail
}  // namespace procpool::inline v0_1

#endif
