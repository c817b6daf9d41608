// SPDX-License-Identifier: MIT
// Writes an array as a NumPy file: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#ifndef PROCPOOL_EXAMPLES_NPY_HPP
#define PROCPOOL_EXAMPLES_NPY_HPP

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>

/// NumPy's name of a number type, for example "|u1" or "<f8".
template <class T>
    requires std::integral<T> || std::floating_point<T>
std::string npy_type() {
    const char order = sizeof(T) == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>';
    const char kind = std::floating_point<T> ? 'f' : std::signed_integral<T> ? 'i' : 'u';
    return std::string{order, kind} + std::to_string(sizeof(T));
}

/// Writes `values`, row-major with the given shape, to `path`, so that `numpy.load(path)` reads it.
/// @throws std::runtime_error if the file can't be written
template <class T, std::size_t Rank>
void write_npy(const std::string& path, std::span<const T> values,
               const std::array<std::size_t, Rank>& shape) {
    std::string header = "{'descr': '" + npy_type<T>() + "', 'fortran_order': False, 'shape': (";
    for (const std::size_t extent : shape) header += std::to_string(extent) + ", ";
    header += ")}";
    constexpr std::size_t before = 10;  // magic, version and the length that follows
    header.resize((before + header.size() + 64) / 64 * 64 - before,
                  ' ');  // the data begins at a multiple of 64
    header.back() = '\n';

    std::ofstream file(path, std::ios::binary);
    file.write("\x93NUMPY\x01\x00", 8);
    file.put(static_cast<char>(header.size() % 256)).put(static_cast<char>(header.size() / 256));
    file << header;
    file.write(reinterpret_cast<const char*>(values.data()),
               static_cast<std::streamsize>(values.size_bytes()));
    if (!file.flush()) throw std::runtime_error("can't write " + path);
}

#endif
