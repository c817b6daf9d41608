// SPDX-License-Identifier: MIT
// Prints arrays as NumPy does, the middle of large ones left out.
#ifndef PROCPOOL_ARRAY_OUTPUT_HPP
#define PROCPOOL_ARRAY_OUTPUT_HPP

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>

#include "procpool/array_view.hpp"

namespace procpool::inline v0_1 {
namespace detail {

template <class T>
concept printable = requires(std::ostream& out, const T& value) { out << value; };

class array_printer {
public:
    array_printer(std::ostream& out, std::size_t elements) : out_(out), whole_(elements <= most_elements) {}

    template <class T, std::size_t Rank>
    void print(const ArrayView<T, Rank>& array) {
        for_each_shown(array, [&](const T& element) { width_ = std::max(width_, text_of(element).size()); });
        print_level(array, 1);
    }

private:
    static constexpr std::size_t most_elements = 1000;
    static constexpr std::size_t at_each_end = 3;

    /// Whether index `i` of `size` is shown.
    bool shows(std::size_t i, std::size_t size) const noexcept {
        return whole_ || size <= 2 * at_each_end || i < at_each_end || i >= size - at_each_end;
    }

    template <class T, std::size_t Rank, class Visit>
    void for_each_shown(const ArrayView<T, Rank>& array, Visit visit) const {
        const std::size_t size = array.shape()[0];
        for (std::size_t i = 0; i < size; ++i) {
            if (!shows(i, size)) i = size - at_each_end;
            if constexpr (Rank == 1)
                visit(array[i]);
            else
                for_each_shown(array[i], visit);
        }
    }

    template <class T, std::size_t Rank>
    void print_level(const ArrayView<T, Rank>& array, std::size_t depth) {
        const std::size_t size = array.shape()[0];
        const std::string gap =
            Rank == 1 ? std::string(" ") : std::string(Rank - 1, '\n').append(std::string(depth, ' '));
        out_ << '[';
        for (std::size_t i = 0; i < size; ++i) {
            if (i > 0) out_ << gap;
            if (!shows(i, size)) {
                out_ << "..." << gap;
                i = size - at_each_end;
            }
            if constexpr (Rank == 1) {
                const std::string text = text_of(array[i]);
                out_ << std::string(width_ - text.size(), ' ') << text;
            } else {
                print_level(array[i], depth + 1);
            }
        }
        out_ << ']';
    }

    template <class T>
    std::string text_of(const T& element) const {
        std::ostringstream text;
        text.copyfmt(out_);
        text.width(0);
        if constexpr (std::same_as<T, unsigned char> || std::same_as<T, signed char>)
            text << +element;  // a number, as in NumPy
        else
            text << element;
        return text.str();
    }

    std::ostream& out_;
    const bool whole_;
    std::size_t width_ = 0;
};

}  // namespace detail

/// Prints an array as NumPy does: `[[1 2]\n [3 4]]`, each element as wide as the widest, in the stream's
/// format. Of more than 1000 elements only the first and last three in each dimension are printed.
template <class T, std::size_t Rank>
    requires detail::printable<T>
std::ostream& operator<<(std::ostream& out, const ArrayView<T, Rank>& array) {
    detail::array_printer(out, array.size()).print(ArrayView<const T, Rank>(array));
    return out;
}

}  // namespace procpool::inline v0_1

#endif
