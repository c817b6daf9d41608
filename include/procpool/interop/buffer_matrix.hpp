// SPDX-License-Identifier: MIT
// BufferMatrix: a matrix of Eigen's in a Buffer, which as the result of a task is never copied. Part of
// interop/eigen.hpp.
#ifndef PROCPOOL_INTEROP_BUFFER_MATRIX_HPP
#define PROCPOOL_INTEROP_BUFFER_MATRIX_HPP

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/buffer.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::interop {

/// A matrix or array of Eigen's, as `BufferMatrix<Eigen::MatrixXf>`, for a task to fill and return: its
/// coefficients lie in a Buffer, so the caller's BufferMatrix is the same memory, and nothing is copied.
///
///     mp::interop::BufferMatrix<Eigen::MatrixXf> product(a.rows(), b.cols());
///     product.matrix().noalias() = a * b;
///     return product;
///
/// All that is said of Buffer goes for it, too. It can be moved and not copied.
template <class Matrix>
class BufferMatrix {
    static_assert(
        std::is_base_of_v<Eigen::PlainObjectBase<Matrix>, Matrix>,
        "procpool: a BufferMatrix is of an Eigen::Matrix or an Eigen::Array, which its matrix() maps");

public:
    using Scalar = typename Matrix::Scalar;
    /// What Eigen works with.
    using map = Eigen::Map<Matrix, Eigen::Aligned64>;
    using const_map = Eigen::Map<const Matrix, Eigen::Aligned64>;

    /// No coefficients; of a matrix of fixed size, as many as that has.
    BufferMatrix() : BufferMatrix(least(Matrix::RowsAtCompileTime), least(Matrix::ColsAtCompileTime)) {}
    /// Coefficients with no particular values. @throws std::bad_alloc
    /// @throws std::invalid_argument if such a matrix can't have so many rows and columns
    BufferMatrix(Eigen::Index rows, Eigen::Index cols)
        : rows_(rows), cols_(cols), buffer_(checked_size(rows, cols)) {}
    /// A vector. @throws std::bad_alloc @throws std::invalid_argument if it can't have so many
    explicit BufferMatrix(Eigen::Index size)
        requires(Matrix::IsVectorAtCompileTime != 0)
        : BufferMatrix(Matrix::RowsAtCompileTime == 1 ? 1 : size, Matrix::RowsAtCompileTime == 1 ? size : 1) {
    }
    /// What an expression of Eigen's has: `BufferMatrix<Eigen::MatrixXd>(2 * a)`. @throws as above
    template <class Expression>
    explicit BufferMatrix(const Eigen::EigenBase<Expression>& of) : BufferMatrix(of.rows(), of.cols()) {
        matrix() = of.derived();
    }

    BufferMatrix(BufferMatrix&& other) noexcept
        : rows_(std::exchange(other.rows_, 0)),
          cols_(std::exchange(other.cols_, 0)),
          buffer_(std::move(other.buffer_)) {}
    BufferMatrix& operator=(BufferMatrix&& other) noexcept {
        rows_ = std::exchange(other.rows_, 0);
        cols_ = std::exchange(other.cols_, 0);
        buffer_ = std::move(other.buffer_);
        return *this;
    }
    ~BufferMatrix() = default;

    Eigen::Index rows() const noexcept { return rows_; }
    Eigen::Index cols() const noexcept { return cols_; }
    /// The coefficients, as good as this object is. Its size can't be changed by Eigen.
    map matrix() noexcept { return map(buffer_.data(), rows_, cols_); }
    const_map matrix() const noexcept { return const_map(buffer_.data(), rows_, cols_); }
    /// They lie there, in the storage order of Matrix.
    const Buffer<Scalar>& buffer() const noexcept { return buffer_; }

    /// For cereal, in procpool's own messages.
    template <class Archive>
    void save(Archive& archive) const {
        archive(std::int64_t{rows_}, std::int64_t{cols_}, buffer_);
    }
    /// For cereal, in procpool's own messages. @throws SerializationError if this is something else
    template <class Archive>
    void load(Archive& archive) {
        std::int64_t rows = 0;
        std::int64_t cols = 0;
        Buffer<Scalar> buffer;
        archive(rows, cols, buffer);
        if (!can_be(rows, cols) || is_too_large(rows, cols) || size_of(rows, cols) != buffer.size())
            throw SerializationError("procpool: " + detail::type_name(typeid(Matrix)) + " can't have " +
                                     std::to_string(rows) + " rows and " + std::to_string(cols) +
                                     " columns in a Buffer of " + std::to_string(buffer.size()));
        rows_ = rows;
        cols_ = cols;
        buffer_ = std::move(buffer);
    }

private:
    static constexpr Eigen::Index least(int fixed) noexcept { return fixed == Eigen::Dynamic ? 0 : fixed; }
    static bool can_be(std::int64_t size, int fixed, int most) noexcept {
        return size >= 0 && std::in_range<Eigen::Index>(size) && (fixed == Eigen::Dynamic || size == fixed) &&
               (most == Eigen::Dynamic || size <= most);
    }
    static bool can_be(std::int64_t rows, std::int64_t cols) noexcept {
        return can_be(rows, Matrix::RowsAtCompileTime, Matrix::MaxRowsAtCompileTime) &&
               can_be(cols, Matrix::ColsAtCompileTime, Matrix::MaxColsAtCompileTime);
    }
    static bool is_too_large(std::int64_t rows, std::int64_t cols) noexcept {
        return cols > 0 && rows > std::numeric_limits<std::int64_t>::max() / cols;
    }
    static std::size_t size_of(std::int64_t rows, std::int64_t cols) noexcept {
        return static_cast<std::size_t>(rows * cols);
    }
    static std::size_t checked_size(Eigen::Index rows, Eigen::Index cols) {
        if (!can_be(rows, cols))
            throw std::invalid_argument("procpool: " + detail::type_name(typeid(Matrix)) + " can't have " +
                                        std::to_string(rows) + " rows and " + std::to_string(cols) +
                                        " columns");
        if (is_too_large(rows, cols)) throw std::bad_array_new_length();
        return size_of(rows, cols);
    }

    Eigen::Index rows_;
    Eigen::Index cols_;
    Buffer<Scalar> buffer_;
};

}  // namespace procpool::inline v0_1::interop

#endif
