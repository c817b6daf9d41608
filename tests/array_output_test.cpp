// SPDX-License-Identifier: MIT
#include "procpool/array_output.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <iomanip>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace array_output_test {

using procpool::ArrayView;

template <class T, std::size_t Rank>
std::string text_of(const ArrayView<T, Rank>& array) {
    std::ostringstream out;
    out << array;
    return out.str();
}

TEST(array_output, is_that_of_numpy) {
    std::array numbers{1, 20, 3, 4, 5, -6, 7, 8};
    EXPECT_EQ(text_of(ArrayView<int, 1>(numbers.data(), {3})), "[ 1 20  3]");
    EXPECT_EQ(text_of(ArrayView<const int, 2>(numbers.data(), {2, 3})), "[[ 1 20  3]\n [ 4  5 -6]]");
    EXPECT_EQ(text_of(ArrayView<int, 3>(numbers.data(), {2, 2, 2})),
              "[[[ 1 20]\n  [ 3  4]]\n\n [[ 5 -6]\n  [ 7  8]]]");
    EXPECT_EQ(text_of(ArrayView<int, 2>(numbers.data(), {2, 3}).transposed()),
              "[[ 1  4]\n [20  5]\n [ 3 -6]]");
    EXPECT_EQ(text_of(ArrayView<int, 1>()), "[]");
}

TEST(array_output, shows_bytes_as_numbers_and_letters_as_letters) {
    std::array<std::uint8_t, 2> bytes{65, 7};
    EXPECT_EQ(text_of(ArrayView<std::uint8_t, 1>(bytes.data(), {2})), "[65  7]");
    std::array letters{'A', 'B'};
    EXPECT_EQ(text_of(ArrayView<char, 1>(letters.data(), {2})), "[A B]");
}

TEST(array_output, follows_the_format_of_the_stream) {
    std::array numbers{1.0, 22.346};
    std::ostringstream out;
    out << std::fixed << std::setprecision(2) << ArrayView<double, 1>(numbers.data(), {2}) << 1.0;
    EXPECT_EQ(out.str(), "[ 1.00 22.35]1.00");
}

TEST(array_output, leaves_out_the_middle_of_large_arrays) {
    std::vector<int> numbers(10'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    EXPECT_EQ(text_of(ArrayView<int, 1>(numbers.data(), {10'000})), "[   0    1    2 ... 9997 9998 9999]");
    EXPECT_EQ(text_of(ArrayView<int, 2>(numbers.data(), {2, 5000})),
              "[[   0    1    2 ... 4997 4998 4999]\n [5000 5001 5002 ... 9997 9998 9999]]");
    const std::string tall = text_of(ArrayView<int, 2>(numbers.data(), {5000, 2}));
    EXPECT_EQ(tall,
              "[[   0    1]\n [   2    3]\n [   4    5]\n ...\n [9994 9995]\n [9996 9997]\n [9998 9999]]");
}

}  // namespace array_output_test
