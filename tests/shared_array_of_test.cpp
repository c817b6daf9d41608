// SPDX-License-Identifier: MIT
// Shared arrays that are made of elements, of memory of a certain kind, or of a file.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <list>
#include <numeric>
#include <ranges>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

#include "procpool/detail/os/available_memory.hpp"
#include "procpool/shared_array.hpp"
#include "support/arrays.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace shared_array_of_test {

namespace os = procpool::detail::os;
using procpool::ArrayView;
using procpool::SharedArray;
using test::decoded;
using test::encoded;
using test::message;
using test::message_of;

// Elements never mean a shape, nor a shape elements.
static_assert(!std::is_constructible_v<SharedArray<int, 1>, std::vector<int>>);
static_assert(!std::is_constructible_v<SharedArray<int, 2>, std::vector<int>>);
static_assert(!std::is_constructible_v<SharedArray<int, 1>, std::array<int, 2>>);

class shared_array_of : public test::arrays {
protected:
    const std::vector<int> numbers = {0, 1, 2, 3, 4, 5};
};

// ---- elements

TEST_F(shared_array_of, a_list_has_its_elements) {
    const auto array = SharedArray<int, 1>::of({7, 8, 9});
    EXPECT_EQ(array.to_vector(), (std::vector{7, 8, 9}));
    EXPECT_EQ((SharedArray<float, 1>::of({5}).to_vector()), std::vector{5.f}) << "a list, not a shape";
    array(1) = 0;
    EXPECT_EQ(array[1], 0);
}

TEST_F(shared_array_of, lists_of_lists_has_their_shape) {
    const auto matrix = SharedArray<double, 2>::of({{1, 2, 3}, {4, 5, 6}});
    EXPECT_EQ(matrix.shape(), (std::array<std::size_t, 2>{2, 3}));
    EXPECT_EQ(matrix(1, 0), 4);
    const auto cube = SharedArray<int, 3>::of({{{1}, {2}}, {{3}, {4}}, {{5}, {6}}});
    EXPECT_EQ(cube.shape(), (std::array<std::size_t, 3>{3, 2, 1}));
    EXPECT_EQ(cube(2, 1, 0), 6);
}

TEST_F(shared_array_of, an_empty_list_is_empty) {
    EXPECT_EQ((SharedArray<int, 1>::of({}).size()), 0u);
    EXPECT_EQ((SharedArray<int, 2>::of({{}, {}}).shape()), (std::array<std::size_t, 2>{2, 0}));
    EXPECT_EQ((SharedArray<int, 1>::of(std::vector<int>{}).size()), 0u);
}

TEST_F(shared_array_of, lists_of_different_lengths_is_refused) {
    EXPECT_THROW((SharedArray<int, 2>::of({{1, 2}, {3}})), std::invalid_argument);
    EXPECT_THROW((SharedArray<int, 2>::of({{}, {3}})), std::invalid_argument);
    EXPECT_THROW((SharedArray<int, 3>::of({{{1}, {2}}, {{3}}})), std::invalid_argument);
}

TEST_F(shared_array_of, a_range_is_a_copy_of_it) {
    const auto array = SharedArray<int, 1>::of(numbers);
    EXPECT_TRUE(std::ranges::equal(array, numbers));
    array[0] = 9;
    EXPECT_EQ(numbers[0], 0);
    EXPECT_TRUE(
        std::ranges::equal(SharedArray<int, 1>::of(std::span(numbers).subspan(2)), std::vector{2, 3, 4, 5}));
    EXPECT_TRUE(std::ranges::equal(SharedArray<double, 1>::of(std::list{1, 2}), std::vector{1., 2.}));
    EXPECT_TRUE(std::ranges::equal(SharedArray<bool, 1>::of(std::vector{true, false}), std::vector{1, 0}));
    EXPECT_EQ((SharedArray<int, 1>::of(std::array{5}).size()), 1u) << "elements, not a shape";
}

TEST_F(shared_array_of, a_view_is_a_copy_in_its_order) {
    const ArrayView<const int, 2> view(numbers.data(), {2, 3});
    const auto columns = SharedArray<int, 2>::of(view.transposed());
    EXPECT_EQ(columns.shape(), (std::array<std::size_t, 2>{3, 2}));
    EXPECT_EQ(columns.to_vector(), (std::vector{0, 3, 1, 4, 2, 5}));
    EXPECT_TRUE(columns.is_contiguous());
    EXPECT_EQ((SharedArray<long, 2>::of(view.slice(1, {.step = -2})).to_vector()),
              (std::vector<long>{2, 0, 5, 3}));
    EXPECT_TRUE((SharedArray<int, 2>::of(view) == view));
}

TEST_F(shared_array_of, another_array_is_no_handle_but_a_copy) {
    const auto array = SharedArray<int, 1>::of({1, 2});
    const auto copy = SharedArray<int, 1>::of(array);
    copy[0] = 5;
    EXPECT_EQ(array[0], 1);
}

TEST_F(shared_array_of, const_elements_can_be_made_too) {
    const auto array = SharedArray<const int, 1>::of({1, 2});
    static_assert(std::is_same_v<decltype(array[0]), const int&>);
    EXPECT_EQ(array[1], 2);
}

// ---- share

TEST_F(shared_array_of, share_is_a_copy_that_can_only_be_read) {
    std::vector<int> mine = numbers;
    const auto shared = procpool::share(mine);
    static_assert(std::is_same_v<decltype(shared), const SharedArray<const int, 1>>);
    mine[0] = 9;
    EXPECT_TRUE(std::ranges::equal(shared, numbers));
    const auto bits = procpool::share(std::vector{true, false});
    static_assert(std::is_same_v<decltype(bits), const SharedArray<const bool, 1>>);
    EXPECT_FALSE(bits[1]);
}

TEST_F(shared_array_of, share_of_a_view_has_its_shape) {
    const ArrayView<const int, 2> view(numbers.data(), {2, 3});
    const auto shared = procpool::share(view.transposed());
    static_assert(std::is_same_v<decltype(shared), const SharedArray<const int, 2>>);
    EXPECT_TRUE(shared == view.transposed());
}

TEST_F(shared_array_of, share_of_what_is_shared_is_no_copy) {
    const SharedArray<int, 2> array({2, 3});
    const auto shown = procpool::share(array);
    static_assert(std::is_same_v<decltype(shown), const SharedArray<const int, 2>>);
    EXPECT_EQ(shown.data(), array.data());
    EXPECT_EQ(procpool::share(shown).data(), array.data());
    EXPECT_NE(procpool::share(array.view()).data(), array.data());
}

// ---- kinds of memory

TEST_F(shared_array_of, huge_pages_is_as_good_where_there_are_none) {
    const SharedArray<int, 1> array({3 << 20}, {.huge_pages = true, .prefault = true});
    std::iota(array.begin(), array.end(), 0);
    EXPECT_EQ(array[(3 << 20) - 1], (3 << 20) - 1);
    const message sent = encoded(array);
    EXPECT_EQ((decoded<SharedArray<int, 1>>(sent.bytes.bytes()).data()), array.data());
    EXPECT_EQ((decoded<SharedArray<const int, 1>>(sent.bytes.bytes())[7]), 7) << "another mapping asks, too";
}

// ---- files

class mapped_file : public test::arrays {
protected:
    /// Eight bytes 'x', and then ints from 0 on.
    std::string file_of(int count) {
        std::string path = folder.path("numbers.bin");
        std::ofstream file(path, std::ios::binary);
        file << "xxxxxxxx";
        for (int i = 0; i < count; ++i) file.write(reinterpret_cast<const char*>(&i), sizeof i);
        return path;
    }
    test::temporary_folder folder;
    using numbers = SharedArray<const int, 2>;
};

TEST_F(mapped_file, shows_what_lies_there) {
    const auto array = numbers::map_file(file_of(12), {3, 4}, 8);
    EXPECT_EQ(array.shape(), (std::array<std::size_t, 2>{3, 4}));
    EXPECT_EQ(array(2, 3), 11);
    const auto bytes = SharedArray<const char, 1>::map_file(folder.path("numbers.bin"), {8});
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "xxxxxxxx");
    EXPECT_EQ(numbers::map_file(folder.path("numbers.bin"), {2, 0}, 8).size(), 0u);
}

TEST_F(mapped_file, is_mapped_once_and_sent_as_a_handle) {
    const auto array = numbers::map_file(file_of(12), {2, 4}, 24);
    const auto other = numbers::map_file(folder.path("numbers.bin"), {3, 4}, 8);
    EXPECT_EQ(array.data(), other.data() + 4);
    const message sent = encoded(array);
    const auto received = decoded<numbers>(sent.bytes.bytes());
    EXPECT_EQ(received.data(), array.data());
    EXPECT_EQ(received(1, 3), 11);
}

TEST_F(mapped_file, may_grow_while_it_is_mapped) {
    const std::string path = file_of(12);
    const auto array = numbers::map_file(path, {3, 4}, 8);
    const message sent = encoded(array);
    std::ofstream(path, std::ios::binary | std::ios::app) << "more";
    EXPECT_EQ(numbers::map_file(path, {3, 4}, 8).data(), array.data());
    const auto tail = SharedArray<const char, 1>::map_file(path, {4}, 56);
    EXPECT_EQ(std::string(tail.begin(), tail.end()), "more");
    EXPECT_EQ(decoded<numbers>(sent.bytes.bytes())(2, 3), 11);
}

TEST_F(mapped_file, that_is_too_short_is_refused) {
    const std::string path = file_of(12);
    const std::string text = message_of<procpool::Error>([&] { numbers::map_file(path, {4, 4}, 8); });
    EXPECT_NE(text.find(path + " is too short: it has 56 bytes, the array in it ends at byte 72"),
              std::string::npos)
        << text;
    EXPECT_THROW(numbers::map_file(path, {3, 4}, 12), procpool::Error);
    EXPECT_THROW(numbers::map_file(path, {1, 1}, std::numeric_limits<std::uint64_t>::max() - 3),
                 std::length_error);
    EXPECT_THROW(numbers::map_file(path, {std::numeric_limits<std::int64_t>::max(), 2}), std::length_error);
}

TEST_F(mapped_file, that_is_not_aligned_is_refused) {
    EXPECT_THROW(numbers::map_file(file_of(12), {1, 1}, 6), std::invalid_argument);
}

TEST_F(mapped_file, that_is_no_file_is_refused) {
    const std::string none = folder.path("none.bin");
    try {
        numbers::map_file(none, {1, 1});
        FAIL() << "there is no such file";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
        EXPECT_NE(std::string(error.what()).find(none), std::string::npos) << error.what();
    }
    EXPECT_THROW(numbers::map_file(folder.path(""), {1, 1}), procpool::Error);
}

TEST_F(mapped_file, takes_no_memory_from_other_arrays) {
    const std::string path = folder.path("sparse.bin");
    std::ofstream(path).put('x');
    const std::uint64_t most = os::available_memory() / 4 * 3;
    std::filesystem::resize_file(path, most);
    const auto array = SharedArray<const char, 1>::map_file(path, {most});
    const SharedArray<char, 1> untouched({most});
    EXPECT_EQ(array[most - 1], 0);
}

}  // namespace shared_array_of_test
