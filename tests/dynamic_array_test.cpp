// SPDX-License-Identifier: MIT
// Shared arrays whose number of dimensions is known when the program runs.
#include "procpool/dynamic_array.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/interop/numpy.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "support/arrays.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dynamic_array_test {

namespace mp = procpool;
using mp::SharedArray;
using test::decoded, test::encoded, test::message_of, test::refusal;
using sizes = std::vector<std::size_t>;

class dynamic_array : public test::arrays {};

SharedArray<int> counting(const sizes& shape) {
    SharedArray<int> array(shape);
    std::iota(array.begin(), array.end(), 0);
    return array;
}

TEST_F(dynamic_array, has_the_shape_that_it_was_given) {
    const SharedArray<double> array({2, 3, 4});
    EXPECT_EQ(array.rank(), 3u);
    EXPECT_EQ(array.shape(), (sizes{2, 3, 4}));
    EXPECT_EQ(array.size(), 24u);
    for (const double element : array) EXPECT_EQ(element, 0);
    EXPECT_EQ(SharedArray<int>(sizes{}).size(), 1u) << "no dimension, one element";
    EXPECT_TRUE(SharedArray<int>(sizes{3, 0}).empty());
    EXPECT_EQ(SharedArray<int>().shape(), sizes{0});
}

TEST_F(dynamic_array, has_a_name_of_its_own) {
    const mp::DynamicArray<double> array({2, 3});
    EXPECT_EQ(array.shape(), (sizes{2, 3}));
    static_assert(std::is_same_v<mp::DynamicArray<double>, SharedArray<double>>);
}

TEST_F(dynamic_array, gives_elements_by_indices_that_are_checked) {
    const auto array = counting({2, 3, 4});
    EXPECT_EQ(array.at({1, 2, 3}), 23);
    array.at({0, 1, 2}) = 99;
    EXPECT_EQ(array.data()[6], 99);
    EXPECT_NE(message_of<std::out_of_range>([&] { array.at({0, 3, 0}); }).find("(0, 3, 0) is outside"),
              std::string::npos);
    EXPECT_THROW(array.at({0, 0}), std::out_of_range);
    EXPECT_THROW(array.at({0, 0, 0, 0}), std::out_of_range);
}

TEST_F(dynamic_array, shares_its_elements_with_arrays_and_views_of_a_fixed_rank) {
    const auto array = counting({2, 3});
    const SharedArray<int, 2> fixed = array.array<2>();
    const auto view = array.view<2>();
    fixed(1, 2) = -1;
    EXPECT_EQ(view(1, 2), -1);
    EXPECT_EQ(array.at({1, 2}), -1);
    const SharedArray<int> back = fixed;
    EXPECT_EQ(back.data(), array.data());
    EXPECT_TRUE(back == array);
    const SharedArray<const int> read_only = array;
    EXPECT_EQ(read_only.at({0, 1}), 1);
    EXPECT_EQ(test::mappings(), 1u);
    EXPECT_NE(
        message_of<std::invalid_argument>([&] { (void)array.view<3>(); }).find("has 2 dimensions, not 3"),
        std::string::npos);
    EXPECT_THROW((void)array.array<1>(), std::invalid_argument);
}

TEST_F(dynamic_array, can_have_another_shape_of_as_many_elements) {
    const auto array = counting({2, 6});
    const auto cube = array.reshape({3, 2, 2});
    EXPECT_EQ(cube.at({2, 1, 1}), 11);
    EXPECT_EQ(cube.data(), array.data());
    EXPECT_FALSE(cube == array);
    EXPECT_THROW(array.reshape({5}), std::invalid_argument);
    EXPECT_THROW(SharedArray<int>(sizes{std::size_t{1} << 40, std::size_t{1} << 40}), std::length_error);
}

TEST_F(dynamic_array, travels_as_a_handle) {
    const auto array = counting({2, 3, 4});
    const auto sent = encoded(array);
    const auto received = decoded<SharedArray<int>>(sent.bytes.bytes());
    EXPECT_EQ(received.data(), array.data());
    EXPECT_EQ(received.shape(), array.shape());
    EXPECT_NE(refusal<SharedArray<double>>(sent.bytes.bytes()).find("element type mismatch"),
              std::string::npos);
    for (std::size_t length = 0; length < sent.bytes.size(); ++length)
        EXPECT_NE(refusal<SharedArray<int>>(sent.bytes.bytes().first(length)), "accepted") << length;
}

TEST_F(dynamic_array, is_filled_by_workers) {
    const SharedArray<int> array({10, 5});
    mp::Pool(2).map(mp::partial(
                        [](const SharedArray<int>& all, int row) {
                            for (int& element : all.view<2>()[row]) element = row;
                        },
                        array),
                    std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    for (std::size_t row = 0; row < 10; ++row) EXPECT_EQ(array.at({row, 4}), static_cast<int>(row));
}

TEST_F(dynamic_array, of_a_file_has_the_files_shape) {
    const test::temporary_folder folder;
    const std::string path = folder.path("array.npy");
    const auto array = counting({2, 3, 4});
    mp::interop::save_npy(path, array.view<3>());
    EXPECT_TRUE(mp::interop::load_npy<int>(path) == array);
    const auto mapped = mp::interop::map_npy<int>(path);
    EXPECT_EQ(mapped.shape(), array.shape());
    EXPECT_EQ(mapped.at({1, 2, 3}), 23);
    const std::string other = folder.path("turned.npy");
    mp::interop::save_npy(other, array.view<3>().transposed());
    const auto turned = mp::interop::load_npy<int>(other);
    EXPECT_EQ(turned.shape(), (sizes{4, 3, 2}));
    EXPECT_EQ(turned.at({3, 2, 1}), 23);
    EXPECT_EQ(turned.at({1, 0, 0}), 1);
}

TEST_F(dynamic_array, of_a_file_stays_when_another_one_is_saved_in_its_place) {
    const test::temporary_folder folder;
    const std::string path = folder.path("array.npy");
    const auto array = counting({2, 3, 4});
    mp::interop::save_npy(path, array.view<3>());
    const auto mapped = mp::interop::map_npy<int>(path);
    mp::interop::save_npy(path, array.view<3>().transposed());
    EXPECT_EQ(mapped.shape(), array.shape());
    EXPECT_EQ(mapped.at({1, 2, 3}), 23);
    EXPECT_EQ(mp::interop::load_npy<int>(path).shape(), (sizes{4, 3, 2}));
}

}  // namespace dynamic_array_test
