// SPDX-License-Identifier: MIT
#include "procpool/array_view.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <ranges>
#include <type_traits>
#include <vector>

namespace {

using procpool::ArrayView;

static_assert(std::forward_iterator<ArrayView<int, 3>::iterator>);
static_assert(std::ranges::forward_range<ArrayView<int, 2>> && std::ranges::sized_range<ArrayView<int, 2>>);
static_assert(std::ranges::borrowed_range<ArrayView<int, 2>> && std::ranges::view<ArrayView<int, 2>>);
static_assert(std::is_convertible_v<ArrayView<int, 2>, ArrayView<const int, 2>>);
static_assert(!std::is_convertible_v<ArrayView<const int, 2>, ArrayView<int, 2>>);
static_assert(!procpool::detail::wire::codec<ArrayView<int, 2>>::sendable);

class array_view : public testing::Test {
protected:
    void SetUp() override { std::iota(numbers.begin(), numbers.end(), 0); }
    std::vector<int> numbers = std::vector<int>(24);
};

TEST_F(array_view, has_no_elements_by_default) {
    const ArrayView<int, 2> nothing;
    EXPECT_TRUE(nothing.empty());
    EXPECT_EQ(nothing.begin(), nothing.end());
    EXPECT_EQ(nothing.span().size(), 0u);
    EXPECT_TRUE(nothing.is_contiguous());
}

TEST_F(array_view, last_index_runs_fastest) {
    const ArrayView<int, 3> view(numbers.data(), {2, 3, 4});
    EXPECT_EQ(view.size(), 24u);
    EXPECT_EQ(view.strides(), (std::array<std::size_t, 3>{12, 4, 1}));
    EXPECT_EQ(view(0, 0, 1), 1);
    EXPECT_EQ(view(0, 1, 0), 4);
    EXPECT_EQ(view(1, 0, 0), 12);
    EXPECT_TRUE(std::ranges::equal(view, numbers));
}

TEST_F(array_view, shows_elements_that_do_not_lie_side_by_side) {
    // Rows 0 and 2, every second column of a 4 x 6 array.
    const ArrayView<int, 2> view(numbers.data(), {2, 3}, {12, 2});
    EXPECT_FALSE(view.is_contiguous());
    EXPECT_EQ(std::vector<int>(view.begin(), view.end()), (std::vector{0, 2, 4, 12, 14, 16}));
    EXPECT_EQ(view[1](2), 16);
    EXPECT_THROW((void)view.span(), std::logic_error);
    EXPECT_FALSE(view[1].is_contiguous());

    const ArrayView<int, 2> transposed(numbers.data(), {6, 4}, {1, 6});
    EXPECT_EQ(transposed(5, 3), 23);
    EXPECT_EQ(transposed(5, 0), 5);
    const std::vector<int> columns(transposed.begin(), transposed.end());
    EXPECT_EQ(std::vector<int>(columns.begin(), columns.begin() + 5), (std::vector{0, 6, 12, 18, 1}));
}

TEST_F(array_view, a_dimension_of_one_element_may_have_any_stride) {
    const ArrayView<int, 2> view(numbers.data(), {1, 4}, {1000, 1});
    EXPECT_TRUE(view.is_contiguous());
    EXPECT_EQ(view.span().size(), 4u);
}

TEST_F(array_view, first_index_gives_a_view_of_the_rest) {
    const ArrayView<int, 3> view(numbers.data(), {2, 3, 4});
    const ArrayView<int, 2> plane = view[1];
    EXPECT_EQ(plane.shape(), (std::array<std::size_t, 2>{3, 4}));
    EXPECT_EQ(plane.data(), numbers.data() + 12);
    EXPECT_TRUE(plane.is_contiguous());
    view[1][2][3] = -1;
    EXPECT_EQ(numbers[23], -1);
    static_assert(std::is_same_v<decltype(view[1][2][3]), int&>);
}

TEST_F(array_view, a_const_view_of_const_elements_reads_only) {
    const ArrayView<int, 2> view(numbers.data(), {4, 6});
    const ArrayView<const int, 2> read_only = view;
    static_assert(std::is_same_v<decltype(read_only(0, 0)), const int&>);
    static_assert(std::is_same_v<decltype(view(0, 0)), int&>);
    EXPECT_EQ(read_only(3, 5), 23);
}

TEST_F(array_view, checked_access_refuses_what_is_outside) {
    const ArrayView<int, 2> view(numbers.data(), {4, 6});
    EXPECT_EQ(view.at(3, 5), 23);
    EXPECT_EQ(view.at(std::uint8_t{3}, 5L), 23);
    EXPECT_THROW(view.at(4, 0), std::out_of_range);
    EXPECT_THROW(view.at(0, 6u), std::out_of_range);
    EXPECT_THROW(view.at(0, -1), std::out_of_range);
    EXPECT_THROW(view.at(std::int8_t{-1}, 0), std::out_of_range);
    try {
        view.at(1, -2);
    } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "procpool: index (1, -2) is outside of an array of shape (4, 6)");
    }
}

TEST_F(array_view, iterates_over_the_elements_of_a_temporary_view) {
    const ArrayView<int, 2> view(numbers.data(), {4, 6});
    for (int& number : view[2]) number = 0;
    EXPECT_EQ(std::ranges::count(numbers, 0), 7);  // a whole row, and the first element
    EXPECT_EQ(*std::ranges::max_element(view[1]), 11);
}

}  // namespace
