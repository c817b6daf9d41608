// SPDX-License-Identifier: MIT
#include "procpool/shared_array.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <ranges>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/os/available_memory.hpp"
#include "support/arrays.hpp"

namespace shared_array_test {

namespace os = procpool::detail::os;
namespace wire = procpool::detail::wire;
using procpool::ArrayView;
using procpool::SharedArray;
using test::decoded;
using test::encoded;
using test::mappings;
using test::message;

static_assert(std::ranges::contiguous_range<SharedArray<int, 2>> &&
              std::ranges::sized_range<SharedArray<int, 2>>);
static_assert(wire::codec<SharedArray<double, 3>>::sendable);
static_assert(std::is_nothrow_move_constructible_v<SharedArray<int, 1>>);
static_assert(std::is_nothrow_copy_constructible_v<SharedArray<int, 1>>);
static_assert(!std::is_constructible_v<SharedArray<int, 1>, int>);

class shared_array : public test::arrays {};

// ---- making one

TEST_F(shared_array, takes_its_sizes_as_any_mix_of_integers) {
    const int n = 2;
    const std::uint16_t rows = 3;
    const long long cols = 4;
    const SharedArray<std::uint8_t, 3> images({n, rows, cols});
    EXPECT_EQ(images.shape(), (std::array<std::size_t, 3>{2, 3, 4}));
    EXPECT_EQ(images.size(), 24u);
    const SharedArray<float, 1> line({n});
    EXPECT_EQ(line.size(), 2u);
    const SharedArray<float, 1> literal({5});
    EXPECT_EQ(literal.size(), 5u);
    const SharedArray<float, 2> braces{{n, 7u}};
    EXPECT_EQ(braces.size(), 14u);
    EXPECT_EQ(braces.rank(), 2u);
}

TEST_F(shared_array, takes_the_shape_of_another) {
    const SharedArray<int, 2> array({3, 4});
    const SharedArray<double, 2> alike(array.shape());
    EXPECT_EQ(alike.shape(), array.shape());
}

TEST_F(shared_array, starts_as_zeros) {
    const SharedArray<double, 2> array({100, 100});
    EXPECT_TRUE(std::ranges::all_of(array, [](double x) { return x == 0; }));
}

TEST_F(shared_array, holds_structs_of_numbers) {
    struct pixel {
        float red, green, blue;
    };
    const SharedArray<pixel, 2> picture({2, 2});
    picture(1, 1).green = 0.5f;
    EXPECT_EQ(picture.span()[3].green, 0.5f);
}

TEST_F(shared_array, may_have_no_elements) {
    const SharedArray<int, 3> array({5, 0, 7});
    EXPECT_TRUE(array.empty());
    EXPECT_EQ(array.size(), 0u);
    EXPECT_EQ(array.begin(), array.end());
    EXPECT_EQ(array.shape(), (std::array<std::size_t, 3>{5, 0, 7}));
    EXPECT_EQ(array[4].size(), 0u);
    EXPECT_EQ(mappings(), 0u);
    const auto copy = decoded<SharedArray<int, 3>>(encoded(array).bytes.bytes());
    EXPECT_EQ(copy.shape(), array.shape());
}

TEST_F(shared_array, is_empty_by_default_and_after_a_move) {
    SharedArray<int, 2> none;
    EXPECT_TRUE(none.empty());
    SharedArray<int, 2> array({2, 2});
    array(1, 0) = 7;
    int* const at = array.data();
    SharedArray<int, 2> moved = std::move(array);
    EXPECT_TRUE(array.empty());
    EXPECT_EQ(array.data(), nullptr);
    EXPECT_EQ(array.shape(), none.shape());
    none = std::move(moved);
    EXPECT_EQ(none.data(), at);
    EXPECT_EQ(none(1, 0), 7);
    EXPECT_TRUE(moved.empty());
}

TEST_F(shared_array, refuses_negative_sizes) {
    const int rows = -3;
    EXPECT_THROW((SharedArray<int, 2>({4, rows})), std::invalid_argument);
    EXPECT_THROW((SharedArray<int, 1>({std::int8_t{-1}})), std::invalid_argument);
    EXPECT_THROW((SharedArray<int, 2>(std::array{1, -1})), std::invalid_argument);
}

TEST_F(shared_array, refuses_sizes_that_overflow) {
    const auto large = std::numeric_limits<std::int64_t>::max();
    EXPECT_THROW((SharedArray<char, 2>({large, large})), std::length_error);
    EXPECT_THROW((SharedArray<double, 1>({large})), std::length_error);
    EXPECT_THROW((SharedArray<char, 1>({std::numeric_limits<std::uint64_t>::max()})), std::length_error);
    EXPECT_THROW((SharedArray<char, 3>({0, large, large})), std::length_error);
    try {
        const SharedArray<int, 2> array({large, 3});
    } catch (const std::length_error& error) {
        EXPECT_NE(std::string(error.what()).find("shape (9223372036854775807, 3)"), std::string::npos);
    }
}

TEST_F(shared_array, refuses_memory_that_is_not_there) {
    try {
        const SharedArray<char, 1> array({std::uint64_t{1} << 50});
        FAIL() << "a petabyte was had";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::not_enough_memory);
        EXPECT_NE(std::string(error.what()).find("1125899906842624 bytes"), std::string::npos)
            << error.what();
        EXPECT_NE(std::string(error.what()).find("are available"), std::string::npos) << error.what();
    }
}

TEST_F(shared_array, refuses_memory_that_is_promised_to_others) {
    const std::uint64_t most = os::available_memory() / 4 * 3;
    const SharedArray<char, 1> untouched({most});
    EXPECT_THROW((SharedArray<char, 1>({most})), std::system_error);
    const SharedArray<char, 1> small({1 << 20});
}

TEST_F(shared_array, says_when_file_descriptors_run_out) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 0;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    std::exception_ptr refusal;
    try {
        const SharedArray<int, 1> array({4});
    } catch (...) {
        refusal = std::current_exception();
    }
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);  // first: the sanitizer needs descriptors itself
    ASSERT_TRUE(refusal) << "made without a descriptor";
    try {
        std::rethrow_exception(refusal);
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::too_many_files_open) << error.what();
    }
}

// ---- its elements

TEST_F(shared_array, last_index_runs_fastest) {
    const SharedArray<int, 3> array({2, 3, 4});
    std::iota(array.begin(), array.end(), 0);
    EXPECT_EQ(array.strides(), (std::array<std::ptrdiff_t, 3>{12, 4, 1}));
    int expected = 0;
    for (int i = 0; i < 2; ++i)
        for (long j = 0; j < 3; ++j)
            for (unsigned k = 0; k < 4; ++k) EXPECT_EQ(array(i, j, k), expected++);
    EXPECT_EQ(array.data()[23], 23);
    EXPECT_EQ(array.span().size(), 24u);
}

TEST_F(shared_array, first_index_gives_a_view_without_a_copy) {
    const SharedArray<std::uint8_t, 3> images({5, 2, 3});
    const ArrayView<std::uint8_t, 2> image = images[3];
    std::ranges::fill(image.span(), std::uint8_t{9});
    EXPECT_EQ(images(3, 1, 2), 9);
    EXPECT_EQ(images(2, 1, 2), 0);
    EXPECT_EQ(images(4, 0, 0), 0);
    EXPECT_EQ(images[3].data(), images.data() + 18);
    EXPECT_EQ(&images[3][1][2], &images(3, 1, 2));
    const ArrayView<const std::uint8_t, 3> all = images;
    EXPECT_EQ(all.data(), images.data());
    EXPECT_EQ(images.view().shape(), images.shape());
}

TEST_F(shared_array, of_one_dimension_gives_elements) {
    const SharedArray<int, 1> array({3});
    static_assert(std::is_same_v<decltype(array[0]), int&>);
    array[1] = 4;
    EXPECT_EQ(array(1), 4);
}

TEST_F(shared_array, checked_access_refuses_what_is_outside) {
    const SharedArray<int, 2> array({2, 3});
    array.at(1, 2) = 5;
    EXPECT_EQ(array(1, 2), 5);
    EXPECT_THROW(array.at(2, 0), std::out_of_range);
    EXPECT_THROW(array.at(-1, 0), std::out_of_range);
    EXPECT_THROW((SharedArray<int, 1>().at(0)), std::out_of_range);
}

TEST_F(shared_array, copies_share_their_elements) {
    SharedArray<int, 1> array({3});
    const SharedArray<int, 1> copy = array;
    copy[2] = 6;
    EXPECT_EQ(array[2], 6);
    array = {};
    EXPECT_EQ(copy[2], 6);
    EXPECT_EQ(mappings(), 1u);
}

TEST_F(shared_array, copies_may_come_and_go_in_many_threads) {
    const SharedArray<long, 1> array({4});
    const message sent = encoded(array);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 1000; ++i) {
                SharedArray<long, 1> copy = array;
                const SharedArray<long, 1> received = decoded<SharedArray<long, 1>>(sent.bytes.bytes());
                if (received.data() == copy.data()) ++received[t];
                copy = SharedArray<long, 1>({1});
            }
        });
    for (std::thread& thread : threads) thread.join();
    for (const long count : array) EXPECT_EQ(count, 1000);
}

}  // namespace shared_array_test
