// SPDX-License-Identifier: MIT
// cv::Mat over the elements of arrays, arrays over those of a cv::Mat, and cv::Mat as an argument and a
// result of tasks. Not part of procpool.hpp: whoever includes this has OpenCV.
#ifndef PROCPOOL_INTEROP_OPENCV_HPP
#define PROCPOOL_INTEROP_OPENCV_HPP

#include <array>
#include <climits>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <opencv2/core.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/array_shape.hpp"
#include "procpool/array_view.hpp"
#include "procpool/detail/os/large_write.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/archive.hpp"
#include "procpool/detail/wire/buffer_memory.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"
#include "procpool/interop/buffer_mat.hpp"  // IWYU pragma: export

namespace procpool::inline v0_1 {
namespace detail {

/// OpenCV's number for a type of elements.
template <class T>
consteval int mat_depth() {
    if constexpr (std::is_same_v<T, std::uint8_t>)
        return CV_8U;
    else if constexpr (std::is_same_v<T, std::int8_t>)
        return CV_8S;
    else if constexpr (std::is_same_v<T, std::uint16_t>)
        return CV_16U;
    else if constexpr (std::is_same_v<T, std::int16_t>)
        return CV_16S;
    else if constexpr (std::is_same_v<T, std::int32_t>)
        return CV_32S;
    else if constexpr (std::is_same_v<T, float>)
        return CV_32F;
    else if constexpr (std::is_same_v<T, double>)
        return CV_64F;
    else
        static_assert(sizeof(T) == 0,
                      "procpool: OpenCV has no such elements; it has std::uint8_t, std::int8_t, "
                      "std::uint16_t, std::int16_t, std::int32_t, float and double");
}

template <std::size_t Rank>
[[noreturn]] void throw_no_mat(const std::array<std::size_t, Rank>& shape, const std::string& why) {
    throw std::invalid_argument("procpool: no cv::Mat can show this array of shape " + shape_text(shape) +
                                ": " + why);
}

}  // namespace detail

/// What procpool and other libraries have in common, each in a header of its own.
namespace interop {

/// A cv::Mat over the elements of an array: rows and columns, or rows, columns and channels.
///
/// No element is copied: what OpenCV writes into the Mat is in the array. A slice of columns will do, since
/// rows may lie apart. The Mat is as good as the view that it was made from. A function of OpenCV that is
/// given it as its output and needs another size or type gives it memory of its own instead, and the array
/// stays as it was: compare data(), or copy with copyTo() of the right size and type. There is no Mat of
/// const elements; for an array of these the Mat itself is const, which a copy of it forgets (write
/// `const cv::Mat`, not `auto`).
/// @throws std::invalid_argument if columns or channels don't lie side by side, rows overlap or go backwards,
/// there is no channel or more than CV_CN_MAX, or more rows or columns than an int counts
template <class T, std::size_t Rank>
std::conditional_t<std::is_const_v<T>, const cv::Mat, cv::Mat> as_mat(const ArrayView<T, Rank>& view) {
    static_assert(Rank == 2 || Rank == 3,
                  "procpool: a cv::Mat shows an array of rows and columns, or of rows, columns and channels; "
                  "take view[i] of an array of more dimensions, or reshape() it");
    constexpr int depth = detail::mat_depth<std::remove_const_t<T>>();
    if constexpr (Rank == 2 || Rank == 3) {
        const auto& shape = view.shape();
        const auto& strides = view.strides();
        const std::size_t rows = shape[0], cols = shape[1], channels = Rank == 3 ? shape[Rank - 1] : 1;
        if (channels == 0 || channels > CV_CN_MAX)
            detail::throw_no_mat(shape, "there are from 1 to " + std::to_string(CV_CN_MAX) + " channels");
        if (rows > INT_MAX || cols > INT_MAX)
            detail::throw_no_mat(shape, "rows and columns are counted by an int; take slices");

        const auto pixel = static_cast<std::ptrdiff_t>(channels);
        const std::ptrdiff_t row = pixel * static_cast<std::ptrdiff_t>(cols);
        if (!view.empty() && channels > 1 && strides[Rank - 1] != 1)
            detail::throw_no_mat(shape, "its channels don't lie side by side; copy it");
        if (!view.empty() && cols > 1 && strides[1] != pixel)
            detail::throw_no_mat(shape, "its columns don't lie side by side; copy it");
        if (!view.empty() && rows > 1 && strides[0] < row)
            detail::throw_no_mat(shape, "its rows overlap or go backwards; copy it");

        const std::size_t step = view.empty() || rows == 1 ? std::size_t{cv::Mat::AUTO_STEP}
                                                           : static_cast<std::size_t>(strides[0]) * sizeof(T);
        return {static_cast<int>(rows), static_cast<int>(cols),
                CV_MAKETYPE(depth, static_cast<int>(channels)),
                const_cast<std::remove_const_t<T>*>(view.data()), step};
    }
}

/// The elements of a cv::Mat as an array, without a copy: `view_of<std::uint8_t, 3>(image)`.
///
/// An array of one dimension more than the Mat has its channels in the last one; one of as many dimensions is
/// for a Mat of one channel. A region of interest will do. The view is as good as the Mat's memory, which it
/// doesn't keep alive. As with the Mat itself, whether the elements may be written to is up to the caller:
/// say `view_of<const float, 2>` if not.
/// @throws std::invalid_argument if the Mat has elements of another type, or another number of dimensions
template <class T, std::size_t Rank>
ArrayView<T, Rank> view_of(const cv::Mat& mat) {
    constexpr int depth = detail::mat_depth<std::remove_const_t<T>>();
    if (mat.dims == 0) return {};
    if (mat.depth() != depth)
        throw std::invalid_argument("procpool: a cv::Mat of type " + cv::typeToString(mat.type()) +
                                    " has no elements of type " + detail::type_name(typeid(T)));
    const auto dims = static_cast<std::size_t>(mat.dims);
    if (Rank != dims + 1 && (Rank != dims || mat.channels() != 1))
        throw std::invalid_argument("procpool: a cv::Mat of " + std::to_string(dims) + " dimensions and " +
                                    std::to_string(mat.channels()) +
                                    " channels can't be viewed as an array of rank " + std::to_string(Rank));
    std::array<std::size_t, Rank> shape{};
    std::array<std::ptrdiff_t, Rank> strides{};
    for (std::size_t d = 0; d < Rank; ++d) {
        const bool channel = d == dims;
        shape[d] = static_cast<std::size_t>(channel ? mat.channels() : mat.size[static_cast<int>(d)]);
        strides[d] = channel ? 1 : static_cast<std::ptrdiff_t>(mat.step.p[d] / sizeof(T));
    }
    return {reinterpret_cast<T*>(mat.data), shape, strides};
}

}  // namespace interop

namespace detail::wire {

template <class T>
inline constexpr bool is_mat = std::is_same_v<T, cv::Mat>;
template <class Element>
inline constexpr bool is_mat<cv::Mat_<Element>> = true;

/// cv::Mat, or cv::Mat_, whose type is known.
template <class T>
concept mat = is_mat<T>;

/// Type, number of dimensions, their sizes; then all elements side by side. One of a buffer_mat() says so,
/// and its elements stay where they are.
template <mat T>
struct codec<T> {
    static constexpr bool sendable = true;

    static void encode(sink out, const T& value) {
        const buffer_memory* const lies_in = mat_buffer_allocator::instance().memory_of(value);
        out.to.append_value(std::int32_t{value.type() | (lies_in ? in_buffer : 0)});
        out.to.append_value(std::int32_t{value.dims});
        for (int d = 0; d < value.dims; ++d) out.to.append_value(std::int32_t{value.size[d]});
        const std::size_t size = value.total() * value.elemSize();
        if (lies_in) return lies_in->append_to(out, size);
        std::byte* const at = append_bulk(out, size);
        if (size == 0) return;
        // Of the same size and type, so that copyTo() has no reason to make another.
        cv::Mat there(value.dims, value.size.p, value.type(), at);
        value.copyTo(there);
    }

    static T decode(cursor& from) {
        const auto kind = from.value<std::int32_t>();
        const bool in_a_buffer = (kind & in_buffer) != 0;
        const std::int32_t type = kind & ~in_buffer;
        const auto dims = from.value<std::int32_t>();
        if (type != CV_MAT_TYPE(type) || CV_ELEM_SIZE(type) <= 0)
            throw SerializationError("procpool: there is no cv::Mat of the type " + std::to_string(type));
        if (dims < 0 || dims > most_dims)
            throw SerializationError("procpool: there is no cv::Mat of " + std::to_string(dims) +
                                     " dimensions");
        std::array<int, most_dims> sizes{};
        for (int d = 0; d < dims; ++d) sizes[static_cast<std::size_t>(d)] = from.value<std::int32_t>();
        const std::size_t size = bytes_of({sizes.data(), static_cast<std::size_t>(dims)}, type);
        const auto check = [&](std::size_t arrived) {
            if (arrived != size)
                throw SerializationError("procpool: a cv::Mat of " + std::to_string(size) +
                                         " bytes arrived with " + std::to_string(arrived));
            if constexpr (!std::is_same_v<T, cv::Mat>) {
                // Its constructor would convert the elements.
                constexpr int own = cv::traits::Type<typename T::value_type>::value;
                if (dims > 0 && type != own)
                    throw SerializationError("procpool: a cv::Mat of type " + cv::typeToString(type) +
                                             " arrived where one of type " + cv::typeToString(own) +
                                             " was meant");
            }
        };
        if (in_a_buffer) {
            auto [memory, arrived] = buffer_memory::take(from);
            check(arrived);
            if (dims == 0) return {};
            return T(mat_buffer_allocator::instance().mat_over(std::move(memory), dims, sizes.data(), type));
        }
        const auto bytes = take_bulk(from);
        check(bytes.size());
        if (dims == 0) return {};
        cv::Mat value(dims, sizes.data(), type);
        os::expect_large_write(value.data, size);
        if (size > 0) std::memcpy(value.data, bytes.data(), size);
        return T(std::move(value));
    }

private:
    static constexpr std::int32_t in_buffer = 1 << 30;  // beside the type
    static constexpr int most_dims = 32;  // of OpenCV, whose own name for it is in the headers for C

    static std::size_t bytes_of(std::span<const int> sizes, int type) {
        // The product without the zeros has to be a size as well: OpenCV's strides are made of it.
        std::size_t bytes = static_cast<std::size_t>(CV_ELEM_SIZE(type));
        bool empty = sizes.empty();
        for (const int size : sizes) {
            constexpr auto most = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
            if (size < 0 || static_cast<std::size_t>(size) > most / bytes)
                throw SerializationError("procpool: a cv::Mat can't have a dimension of size " +
                                         std::to_string(size));
            if (size == 0)
                empty = true;
            else
                bytes *= static_cast<std::size_t>(size);
        }
        return empty ? 0 : bytes;
    }
};

template <class T>
inline constexpr bool is_vec = false;
template <class Element, int Count>
inline constexpr bool is_vec<cv::Vec<Element, Count>> = true;
template <class Element>
inline constexpr bool is_vec<cv::Scalar_<Element>> = true;

/// cv::Vec and cv::Scalar: unlike OpenCV's other small classes they have copy constructors, and so are no
/// plain data. Their base, cv::Matx, is.
template <class T>
concept vec = is_vec<T> && !flat<T>;

template <vec T>
struct codec<T> {
    using matx = typename T::mat_type;
    static constexpr bool sendable = codec<matx>::sendable;
    static void encode(sink out, const matx& value) { codec<matx>::encode(out, value); }
    static T decode(cursor& from) {
        T value;
        static_cast<matx&>(value) = codec<matx>::decode(from);
        return value;
    }
};

/// What OpenCV has not computed yet travels as what it computes.
template <>
struct wire_type<cv::MatExpr> {
    using type = cv::Mat;
};

/// For those inside of what cereal serialises.
template <std::same_as<output_archive> Archive, class T>
    requires(mat<T> || vec<T>)
void CEREAL_SAVE_FUNCTION_NAME(Archive& archive, const T& value) {
    codec<T>::encode(archive.to(), value);
}
template <std::same_as<input_archive> Archive, class T>
    requires(mat<T> || vec<T>)
void CEREAL_LOAD_FUNCTION_NAME(Archive& archive, T& value) {
    value = codec<T>::decode(archive.from());
}

}  // namespace detail::wire
}  // namespace procpool::inline v0_1

#endif
