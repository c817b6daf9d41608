// SPDX-License-Identifier: MIT
// Arrays as NumPy files: what numpy.save writes and numpy.load reads.
#ifndef PROCPOOL_INTEROP_NUMPY_HPP
#define PROCPOOL_INTEROP_NUMPY_HPP

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include "procpool/array_shape.hpp"
#include "procpool/array_view.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/dynamic_array.hpp"
#include "procpool/error.hpp"
#include "procpool/interop/npy_header.hpp"
#include "procpool/shared_array.hpp"

namespace procpool::inline v0_1::interop {
namespace detail {

/// How many elements pass through a buffer at a time, where they don't lie in memory as in the file.
template <class T>
constexpr std::size_t npy_buffer_elements(std::size_t all) noexcept {
    return std::min(all, (std::size_t{1} << 18) / sizeof(T));
}

[[noreturn]] inline void throw_npy_error(const std::string& path, const std::string& what) {
    throw Error("procpool: " + path + " " + what);
}

[[noreturn]] inline void throw_errno(const std::string& what) {
    throw std::system_error(errno != 0 ? errno : EIO, std::generic_category(), "procpool: " + what);
}

/// An open .npy file whose array is of these elements and this rank, or of any.
template <class T, std::size_t Rank>
class npy_reader {
public:
    using sizes = std::conditional_t<Rank == dynamic_rank, std::vector<std::size_t>,
                                     std::array<std::size_t, Rank == dynamic_rank ? 0 : Rank>>;

    explicit npy_reader(const std::string& path) : path_(path) {
        errno = 0;
        file_.open(path, std::ios::binary);
        if (!file_) throw_errno("can't open " + path);
        try {
            header_ = NpyHeader::read(file_);
        } catch (const Error& error) {
            refuse(error.what());
        }
        require_elements();
        require_shape();
    }

    const NpyHeader& header() const noexcept { return header_; }
    const sizes& shape() const noexcept { return shape_; }
    /// Whether the bytes of each number are in the opposite order.
    bool is_swapped() const noexcept { return swapped_; }
    /// Whether the last index runs fastest, as it does either way in a single row or column.
    bool is_row_major() const noexcept {
        return !header_.fortran_order ||
               std::ranges::count_if(shape_, [](std::size_t size) { return size > 1; }) <= 1;
    }

    /// Reads all elements to where the last index runs fastest.
    void read(std::span<T> to) {
        if (is_row_major()) {
            read(to.data(), to.size());
            return;
        }
        const std::size_t most = npy_buffer_elements<T>(to.size());
        const auto buffer = std::make_unique<T[]>(most);
        // In the file the first index runs fastest.
        std::vector<std::size_t> strides(shape_.size()), index(shape_.size());
        for (std::size_t d = shape_.size(), stride = 1; d-- > 0; stride *= shape_[d]) strides[d] = stride;
        std::size_t place = 0;
        for (std::size_t left = to.size(), count = 0; left > 0; left -= count) {
            count = std::min(left, most);
            read(buffer.get(), count);
            for (std::size_t i = 0; i < count; ++i) {
                to[place] = buffer[i];
                for (std::size_t d = 0; d < index.size(); ++d) {
                    place += strides[d];
                    if (++index[d] < shape_[d]) break;
                    place -= index[d] * strides[d];
                    index[d] = 0;
                }
            }
        }
    }

    [[noreturn]] void refuse(const std::string& what) const { throw_npy_error(path_, what); }

private:
    void read(T* to, std::size_t count) {
        auto* const bytes = reinterpret_cast<unsigned char*>(to);
        file_.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(count * sizeof(T)));
        if (!file_) refuse("could not be read to its end");
        if constexpr (std::is_same_v<T, bool>)
            for (std::size_t i = 0; i < count; ++i) bytes[i] = bytes[i] != 0;
        if (!swapped_) return;
        constexpr std::size_t part = is_complex<T> ? sizeof(T) / 2 : sizeof(T);
        for (std::size_t i = 0; i < count * sizeof(T); i += part) std::reverse(bytes + i, bytes + i + part);
    }

    void require_elements() {
        const std::string& dtype = header_.dtype;
        const auto swapped = header_.is_swapped(numpy_dtype<T>());
        if (swapped) {
            swapped_ = *swapped;
            return;
        }
        if (dtype.starts_with('[') || dtype.starts_with('('))
            refuse("holds structures, which can't be read: save each field as an array of its own");
        if (dtype.find('O') != dtype.npos)
            refuse("holds Python objects, which can't be read: save an array of numbers");
        refuse("has another element type (element type mismatch): the file holds " + dtype.substr(0, 40) +
               ", asked for " + procpool::detail::type_name(typeid(T)) + " (" + numpy_dtype<T>() + ")");
    }

    void require_shape() {
        const std::vector<std::size_t>& found = header_.shape;
        if constexpr (Rank == dynamic_rank) {
            shape_ = found;
        } else {
            if (found.size() != Rank)
                refuse("has another number of dimensions (rank mismatch): the file holds " +
                       std::to_string(found.size()) + ", of shape " + procpool::detail::shape_text(found) +
                       ", asked for " + std::to_string(Rank));
            std::copy(found.begin(), found.end(), shape_.begin());
        }
        std::uint64_t bytes = 0;
        try {
            bytes = procpool::detail::bytes_of_shape(shape_, sizeof(T));
        } catch (const std::length_error&) {
            refuse("is damaged: an array of shape " + procpool::detail::shape_text(shape_) +
                   " is larger than any file");
        }
        file_.seekg(0, std::ios::end);
        const auto size = static_cast<std::uint64_t>(file_.tellg());
        if (!file_ || size < header_.data_begins || size - header_.data_begins < bytes)
            refuse("is truncated: an array of shape " + procpool::detail::shape_text(shape_) + " takes " +
                   std::to_string(bytes) + " bytes, there are " +
                   std::to_string(size - std::min(size, header_.data_begins)));
        file_.seekg(static_cast<std::streamoff>(header_.data_begins));
    }

    const std::string path_;
    std::ifstream file_;
    NpyHeader header_;
    sizes shape_{};
    bool swapped_ = false;
};

}  // namespace detail

/// Writes what an array or view shows to a file, over what may be there (not to a file that is mapped: its
/// users would crash): `numpy.load(path)` reads it.
///
/// Elements that lie side by side are written as they are, in NumPy's Fortran order if the first index runs
/// fastest, as it does in a transposed array; others pass through a buffer, the last index fastest.
/// @throws std::system_error if the file can't be opened, or not be written to its end, where it is left as
/// far as it has come
template <class T, std::size_t Rank>
void save_npy(const std::string& path, const ArrayView<T, Rank>& array) {
    const auto transposed = array.transposed();
    const bool fortran_order = !array.is_contiguous() && transposed.is_contiguous();
    const NpyHeader header{.dtype = numpy_dtype<std::remove_const_t<T>>(),
                           .fortran_order = fortran_order,
                           .shape = {array.shape().begin(), array.shape().end()}};
    errno = 0;
    std::ofstream file(path, std::ios::binary);
    if (!file) detail::throw_errno("can't create " + path);
    const auto write = [&file](const T* elements, std::size_t count) {
        file.write(reinterpret_cast<const char*>(elements), static_cast<std::streamsize>(count * sizeof(T)));
    };
    file << header.bytes();
    if (array.is_contiguous() || fortran_order) {
        write(array.data(), array.size());
    } else {
        const std::size_t most = detail::npy_buffer_elements<T>(array.size());
        const auto buffer = std::make_unique<std::remove_const_t<T>[]>(most);
        auto at = array.begin();
        for (std::size_t left = array.size(), count = 0; left > 0; left -= count) {
            count = std::min(left, most);
            for (std::size_t i = 0; i < count; ++i) buffer[i] = *at++;
            write(buffer.get(), count);
        }
    }
    file.close();
    if (!file) detail::throw_errno("can't write " + path + " to its end");
}

/// A new shared array with the elements of a file that numpy.save wrote:
/// `const auto images = load_npy<std::uint8_t, 4>("images.npy");`
///
/// Their type must be the file's, in either byte order; in memory the last index always runs fastest. Without
/// a rank the array has the file's: `load_npy<float>("any.npy").shape()`.
/// @throws std::system_error if the file can't be opened, or there is too little memory
/// @throws Error if it is no .npy file, damaged, or of another element type or number of dimensions
template <class T, std::size_t Rank = dynamic_rank>
SharedArray<T, Rank> load_npy(const std::string& path, const ArrayOptions& options = {}) {
    detail::npy_reader<T, Rank> file(path);
    SharedArray<T, Rank> array(file.shape(), options);
    file.read(array.span());
    return array;
}

/// The elements of a file that numpy.save wrote as they lie there, to be read only: nothing is read before
/// it is used, and workers map the file, too. See SharedArray::map_file for what may happen to the file.
///
/// They must lie as they do in memory: aligned, in the machine's byte order, the last index fastest.
/// load_npy() takes what doesn't. Without a rank the array has the file's.
/// @throws std::system_error if the file can't be opened
/// @throws Error if it is no such file, or of another element type or number of dimensions
template <class T, std::size_t Rank = dynamic_rank>
SharedArray<const T, Rank> map_npy(const std::string& path) {
    const detail::npy_reader<T, Rank> file(path);
    const std::uint64_t offset = file.header().data_begins;
    if (file.is_swapped()) file.refuse("can't be mapped, since it has another byte order: use load_npy");
    if (!file.is_row_major()) file.refuse("can't be mapped, since it is in Fortran order: use load_npy");
    if (offset % alignof(T) != 0) file.refuse("can't be mapped, since it isn't aligned: use load_npy");
    if constexpr (Rank == dynamic_rank) {
        const std::size_t count = procpool::detail::bytes_of_shape(file.shape(), 1);
        return SharedArray<const T>(SharedArray<const T, 1>::map_file(path, {count}, offset))
            .reshape(file.shape());
    } else {
        return SharedArray<const T, Rank>::map_file(path, file.shape(), offset);
    }
}

}  // namespace procpool::inline v0_1::interop

#endif
