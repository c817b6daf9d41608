// SPDX-License-Identifier: MIT
// Eigen::Map over the elements of arrays, arrays over those of a matrix, and matrices as arguments and
// results of tasks. Not part of procpool.hpp: whoever includes this has Eigen, 3.4 or newer.
#ifndef PROCPOOL_INTEROP_EIGEN_HPP
#define PROCPOOL_INTEROP_EIGEN_HPP

#include <Eigen/Core>
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "procpool/array_view.hpp"
#include "procpool/detail/os/large_write.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/archive.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"
#include "procpool/interop/buffer_matrix.hpp"  // IWYU pragma: export

namespace procpool::inline v0_1 {
namespace detail {

template <class Derived>
void take_dense(const Eigen::DenseBase<Derived>&);
template <class Derived>
void take_plain(const Eigen::PlainObjectBase<Derived>&);

/// A matrix, a map, a block, an expression: whatever of Eigen's has coefficients.
template <class T>
concept eigen_dense = requires(const T& value) { take_dense(value); };

/// What owns its coefficients: an Eigen::Matrix or Eigen::Array.
template <class T>
concept eigen_plain = requires(const T& value) { take_plain(value); };

/// What refers to others: an Eigen::Map, a block, an expression.
template <class T>
concept eigen_expression = eigen_dense<T> && !eigen_plain<T>;

}  // namespace detail

/// What procpool and other libraries have in common, each in a header of its own.
namespace interop {

/// What as_map() gives for an array of one dimension: a column; of const T, one that can't be written to.
template <class T>
using VectorMap = Eigen::Map<
    std::conditional_t<std::is_const_v<T>, const Eigen::VectorX<std::remove_const_t<T>>, Eigen::VectorX<T>>,
    Eigen::Unaligned, Eigen::InnerStride<Eigen::Dynamic>>;

/// A matrix that lies in memory as an array of two dimensions does.
template <class T>
using RowMajorMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// What as_map() gives for an array of two dimensions; of const T, one that can't be written to.
template <class T>
using MatrixMap = Eigen::Map<
    std::conditional_t<std::is_const_v<T>, const RowMajorMatrix<std::remove_const_t<T>>, RowMajorMatrix<T>>,
    Eigen::Unaligned, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;

/// An Eigen::Map over the elements of an array: a vector, or rows and columns.
///
/// No element is copied: what Eigen writes into the map is in the array. Any view will do, slices, transposed
/// ones and those that go backwards too. The map is as good as the view that it was made from.
template <class T, std::size_t Rank>
auto as_map(const ArrayView<T, Rank>& view) noexcept {
    static_assert(Rank == 1 || Rank == 2,
                  "procpool: an Eigen::Map shows an array of one or two dimensions; take view[i] of an array "
                  "of more dimensions, or reshape() it");
    const auto size = [&](std::size_t dimension) {
        return static_cast<Eigen::Index>(view.shape()[dimension]);
    };
    const auto stride = [&](std::size_t dimension) {
        return static_cast<Eigen::Index>(view.strides()[dimension]);
    };
    if constexpr (Rank == 1)
        return VectorMap<T>(view.data(), size(0), Eigen::InnerStride<Eigen::Dynamic>(stride(0)));
    else if constexpr (Rank == 2)
        return MatrixMap<T>(view.data(), size(0), size(1),
                            Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>(stride(0), stride(1)));
}

/// The elements of a matrix as an array without a copy: of one dimension for a vector, else rows and columns.
///
/// It is for matrices, arrays, maps and blocks; index (i, j) is row i and column j in either storage order.
/// Elements that are const in the matrix are so in the view. The view is as good as the matrix's memory,
/// which it doesn't keep alive.
template <class Matrix>
    requires detail::eigen_dense<std::remove_cvref_t<Matrix>>
auto view_of(Matrix&& matrix) noexcept {
    using dense = std::remove_cvref_t<Matrix>;
    constexpr bool in_memory = (int{dense::Flags} & int{Eigen::DirectAccessBit}) != 0;
    constexpr bool stays = std::is_lvalue_reference_v<Matrix> || !detail::eigen_plain<dense>;
    static_assert(in_memory,
                  "procpool: this expression of Eigen's has no elements in memory; "
                  "store it in a matrix, and view that");
    static_assert(stays, "procpool: this matrix would be gone before its view; keep it in a variable");
    if constexpr (in_memory && stays) {
        using element = std::remove_pointer_t<decltype(matrix.data())>;
        const auto size = [](Eigen::Index count) { return static_cast<std::size_t>(count); };
        if constexpr (dense::IsVectorAtCompileTime)
            return ArrayView<element, 1>(matrix.data(), {size(matrix.size())}, {matrix.innerStride()});
        else
            return ArrayView<element, 2>(matrix.data(), {size(matrix.rows()), size(matrix.cols())},
                                         {matrix.rowStride(), matrix.colStride()});
    }
}

}  // namespace interop

namespace detail::wire {

/// Rows, columns; then all coefficients side by side, as they are stored.
template <class T>
struct eigen_codec {
    using scalar = typename T::Scalar;
    static constexpr bool sendable =
        std::is_trivially_copyable_v<scalar> && !std::is_pointer_v<scalar> && codec<scalar>::sendable;

    static void encode(sink out, const T& value) {
        const auto count = static_cast<std::size_t>(value.size());
        refuse_pointers(value.data(), count);
        out.to.append_value(std::int64_t{value.rows()});
        out.to.append_value(std::int64_t{value.cols()});
        const std::size_t size = count * sizeof(scalar);
        std::byte* const at = append_bulk(out, size);
        if (size > 0) std::memcpy(at, value.data(), size);
    }

    static T decode(cursor& from) {
        const auto rows = from.value<std::int64_t>();
        const auto cols = from.value<std::int64_t>();
        const auto bytes = take_bulk(from);
        if (!can_be(rows, T::RowsAtCompileTime, T::MaxRowsAtCompileTime) ||
            !can_be(cols, T::ColsAtCompileTime, T::MaxColsAtCompileTime) || !takes(rows, cols, bytes.size()))
            throw SerializationError("procpool: " + type_name(typeid(T)) + " can't have " +
                                     std::to_string(rows) + " rows and " + std::to_string(cols) +
                                     " columns in " + std::to_string(bytes.size()) + " bytes");
        T value;  // one of fixed size takes two arguments as coefficients
        value.resize(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols));
        os::expect_large_write(value.data(), bytes.size());
        if constexpr (std::is_same_v<scalar, bool>)  // no byte but 0 and 1 is one
            std::ranges::transform(bytes, value.data(), [](std::byte byte) { return byte != std::byte{}; });
        else
            std::ranges::copy(bytes, reinterpret_cast<std::byte*>(value.data()));
        return value;
    }

private:
    static bool can_be(std::int64_t size, int fixed, int most) noexcept {
        return size >= 0 && std::in_range<Eigen::Index>(size) && (fixed == Eigen::Dynamic || size == fixed) &&
               (most == Eigen::Dynamic || size <= most);
    }
    static bool takes(std::int64_t rows, std::int64_t cols, std::size_t bytes) noexcept {
        const std::size_t count = bytes / sizeof(scalar);
        if (bytes % sizeof(scalar) != 0) return false;
        if (rows == 0 || cols == 0) return count == 0;
        const auto row = static_cast<std::size_t>(cols);
        return count % row == 0 && count / row == static_cast<std::size_t>(rows);
    }
};

/// Newer Eigens have small matrices that are plain data; those travel as such.
template <class Scalar, int Rows, int Cols, int Options, int MaxRows, int MaxCols>
    requires(!flat<Eigen::Matrix<Scalar, Rows, Cols, Options, MaxRows, MaxCols>>)
struct codec<Eigen::Matrix<Scalar, Rows, Cols, Options, MaxRows, MaxCols>>
    : eigen_codec<Eigen::Matrix<Scalar, Rows, Cols, Options, MaxRows, MaxCols>> {};
template <class Scalar, int Rows, int Cols, int Options, int MaxRows, int MaxCols>
    requires(!flat<Eigen::Array<Scalar, Rows, Cols, Options, MaxRows, MaxCols>>)
struct codec<Eigen::Array<Scalar, Rows, Cols, Options, MaxRows, MaxCols>>
    : eigen_codec<Eigen::Array<Scalar, Rows, Cols, Options, MaxRows, MaxCols>> {};

/// Its bytes would be those of pointers and references.
template <flat T>
    requires eigen_expression<T>
struct codec<T> {
    static constexpr bool sendable = false;
};

/// As an argument it travels as the matrix that it stands for.
template <eigen_expression T>
struct wire_type<T> {
    using type = typename T::PlainObject;
};

template <class T>
concept coded_by_eigen_codec = std::derived_from<codec<T>, eigen_codec<T>> && codec<T>::sendable;

/// For a matrix inside of what cereal serialises.
template <std::same_as<output_archive> Archive, eigen_plain T>
    requires coded_by_eigen_codec<T>
void CEREAL_SAVE_FUNCTION_NAME(Archive& archive, const T& value) {
    codec<T>::encode(archive.to(), value);
}
template <std::same_as<input_archive> Archive, eigen_plain T>
    requires coded_by_eigen_codec<T>
void CEREAL_LOAD_FUNCTION_NAME(Archive& archive, T& value) {
    value = codec<T>::decode(archive.from());
}

}  // namespace detail::wire
}  // namespace procpool::inline v0_1

#endif
