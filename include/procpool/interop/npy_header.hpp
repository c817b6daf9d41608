// SPDX-License-Identifier: MIT
// The header of a NumPy file (.npy): what its array's elements are, its shape, and where they begin.
// The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#ifndef PROCPOOL_INTEROP_NPY_HEADER_HPP
#define PROCPOOL_INTEROP_NPY_HEADER_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/error.hpp"

namespace procpool::inline v0_1::interop {

/// Whether it is a std::complex.
template <class T>
inline constexpr bool is_complex = false;
template <std::floating_point T>
inline constexpr bool is_complex<std::complex<T>> = true;

/// What NumPy has a dtype for: bool, integers, floating-point numbers and std::complex of those.
template <class T>
concept numpy_number = !std::is_const_v<T> && (std::integral<T> || std::floating_point<T> || is_complex<T>);

/// NumPy's name of a type as arrays here have it, for example "<f8", or "|u1" for a single byte.
template <class T>
std::string numpy_dtype() {
    static_assert(numpy_number<T>,
                  "procpool: a NumPy file holds numbers (bool, integers, floating-point numbers, "
                  "std::complex): of a struct, save each member as an array of its own");
    const char order = sizeof(T) == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>';
    const char kind = is_complex<T>             ? 'c'
                      : std::same_as<T, bool>   ? 'b'
                      : std::floating_point<T>  ? 'f'
                      : std::signed_integral<T> ? 'i'
                                                : 'u';
    return std::string{order, kind} + std::to_string(sizeof(T));
}

/// What stands in front of the elements.
struct NpyHeader {
    std::string dtype;               ///< "<f8"; of a structure, or what else has no plain name, its source
    bool fortran_order = false;      ///< the first index runs fastest, not the last
    std::vector<std::size_t> shape;  ///< no sizes at all: a single element
    std::uint64_t data_begins = 0;   ///< byte of the file

    /// Reads the header of any version from a file's beginning on.
    /// @throws Error that says what is wrong, in words to follow the file's name: "is no NumPy file"
    static NpyHeader read(std::istream& file);

    /// The bytes that precede the elements in a file.
    std::string bytes() const;

    /// Whether the elements are `dtype` but for their byte order; then, whether that is the other one.
    std::optional<bool> is_swapped(std::string_view wanted) const {
        const auto body = [](std::string_view name) {
            return name.substr(!name.empty() && std::string_view("<>|=").find(name[0]) != name.npos);
        };
        if (body(dtype) != body(wanted)) return {};
        constexpr char other = std::endian::native == std::endian::little ? '>' : '<';
        return dtype[0] == other && wanted[0] != '|';
    }
};

namespace detail {

/// Reads the Python dictionary of a header: strings, True and False, and tuples of numbers.
class npy_dictionary {
public:
    explicit npy_dictionary(std::string_view text) : left_(text) {}

    NpyHeader read() {
        NpyHeader header;
        bool has_dtype = false, has_order = false, has_shape = false;
        expect('{');
        while (!take('}')) {
            const std::string key = string();
            expect(':');
            if (key == "descr")
                has_dtype = (header.dtype = dtype(), true);
            else if (key == "fortran_order")
                has_order = (header.fortran_order = boolean(), true);
            else if (key == "shape")
                has_shape = (header.shape = tuple(), true);
            else
                refuse("has an entry '" + key + "'");
            if (!take(',')) {
                expect('}');
                break;
            }
        }
        skip_space();
        if (!left_.empty()) refuse("goes on after its end");
        if (!has_dtype || !has_order || !has_shape) refuse("lacks 'descr', 'fortran_order' or 'shape'");
        return header;
    }

private:
    [[noreturn]] static void refuse(const std::string& why) { throw Error("is damaged: its header " + why); }

    void skip_space() { left_.remove_prefix(std::min(left_.find_first_not_of(" \t\r\n"), left_.size())); }

    bool take(char wanted) {
        skip_space();
        if (!left_.starts_with(wanted)) return false;
        left_.remove_prefix(1);
        return true;
    }

    void expect(char wanted) {
        if (!take(wanted)) refuse(std::string("has no '") + wanted + "' where one is due");
    }

    std::string string() {
        const char quote = take('"') ? '"' : '\'';
        if (quote == '\'') expect('\'');
        const std::size_t length = left_.find(quote);
        if (length == left_.npos) refuse("has a string without an end");
        std::string text(left_.substr(0, length));
        left_.remove_prefix(length + 1);
        return text;
    }

    /// A structure is a list, and one with a shape is a tuple.
    std::string dtype() {
        skip_space();
        if (!left_.starts_with('[') && !left_.starts_with('(')) return string();
        const std::string_view all = left_;
        std::size_t depth = 0;
        do {
            if (left_.empty()) refuse("has a list without an end");
            const char next = left_[0];
            if (next == '\'' || next == '"') {
                (void)string();
                continue;
            }
            if (next == '[' || next == '(') ++depth;
            if (next == ']' || next == ')') --depth;
            left_.remove_prefix(1);
        } while (depth > 0);
        return std::string(all.substr(0, all.size() - left_.size()));
    }

    bool boolean() {
        skip_space();
        for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
            if (left_.starts_with(word)) {
                left_.remove_prefix(word.size());
                return value;
            }
        refuse("has a 'fortran_order' that is neither True nor False");
    }

    std::vector<std::size_t> tuple() {
        std::vector<std::size_t> numbers;
        expect('(');
        while (!take(')')) {
            numbers.push_back(number());
            if (numbers.size() > 255) refuse("has more sizes than an array can have dimensions");
            if (!take(',')) {
                expect(')');
                break;
            }
        }
        return numbers;
    }

    std::size_t number() {
        skip_space();
        std::size_t value = 0;
        const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
        if (error != std::errc()) {
            const std::string_view digits = left_.substr(0, left_.find_first_of(",) "));
            refuse("has a size that no array can have, " + std::string(digits.substr(0, 40)));
        }
        left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
        if (left_.starts_with('L')) left_.remove_prefix(1);  // as Python 2 wrote them
        return value;
    }

    std::string_view left_;
};

}  // namespace detail

inline NpyHeader NpyHeader::read(std::istream& file) {
    constexpr std::string_view magic = "\x93NUMPY";
    // Plain arrays need a few hundred bytes; no header makes us take more memory than this.
    constexpr std::uint64_t longest = std::uint64_t{1} << 20;
    std::array<char, 12> start{};
    file.read(start.data(), 8);
    if (!file || std::string_view(start.data(), magic.size()) != magic)
        throw Error("is no NumPy file (.npy)");
    const int version = static_cast<unsigned char>(start[6]);
    if (version < 1 || version > 3)
        throw Error("is of version " + std::to_string(version) + " of the format, only 1 to 3 are known");
    const std::size_t length_bytes = version == 1 ? 2 : 4;
    file.read(start.data() + 8, static_cast<std::streamsize>(length_bytes));
    if (!file) throw Error("ends in its header");
    std::uint64_t length = 0;
    for (std::size_t i = length_bytes; i-- > 0;)
        length = length * 256 + static_cast<unsigned char>(start[8 + i]);
    if (length > longest)
        throw Error("is damaged or no array of numbers: its header has " + std::to_string(length) + " bytes");
    std::string text(length, '\0');
    file.read(text.data(), static_cast<std::streamsize>(length));
    if (!file) throw Error("ends in its header");
    NpyHeader header = detail::npy_dictionary(text).read();
    header.data_begins = 8 + length_bytes + length;
    return header;
}

inline std::string NpyHeader::bytes() const {
    std::string text =
        "{'descr': '" + dtype + "', 'fortran_order': " + (fortran_order ? "True" : "False") + ", 'shape': (";
    // "(3,)" and "(3, 4)", as Python writes them.
    for (std::size_t d = 0; d < shape.size(); ++d)
        text.append(d > 0 ? ", " : "").append(std::to_string(shape[d]));
    text += shape.size() == 1 ? ",), }" : "), }";
    // The elements begin at a multiple of 64, for those who map the file.
    constexpr std::size_t before = 10;
    text.append(63 - (before + text.size()) % 64, ' ').append("\n");
    // At most 255 sizes of 20 digits: two bytes tell the length.
    std::string start = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0};
    start += {static_cast<char>(text.size() % 256), static_cast<char>(text.size() / 256)};
    return start + text;
}

}  // namespace procpool::inline v0_1::interop

#endif
