// SPDX-License-Identifier: MIT
#include "procpool/array_view.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <list>
#include <numeric>
#include <ranges>
#include <type_traits>
#include <vector>

namespace array_view_test {

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
    EXPECT_EQ(view.strides(), (std::array<std::ptrdiff_t, 3>{12, 4, 1}));
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

// ---- other views of the same elements

TEST_F(array_view, slices_are_those_of_python) {
    const ArrayView<int, 1> all(numbers.data(), {10});
    using vector = std::vector<int>;
    EXPECT_EQ(all.slice(0, {}).to_vector(), (vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    EXPECT_EQ(all.slice(0, {.from = 2, .to = 5}).to_vector(), (vector{2, 3, 4}));
    EXPECT_EQ(all.slice(0, {.from = -3}).to_vector(), (vector{7, 8, 9}));
    EXPECT_EQ(all.slice(0, {.to = -8}).to_vector(), (vector{0, 1}));
    EXPECT_EQ(all.slice(0, {.step = 4}).to_vector(), (vector{0, 4, 8}));
    EXPECT_EQ(all.slice(0, {.from = 1, .to = 8, .step = 3}).to_vector(), (vector{1, 4, 7}));
    EXPECT_EQ(all.slice(0, {.step = -3}).to_vector(), (vector{9, 6, 3, 0}));
    EXPECT_EQ(all.slice(0, {.from = 7, .to = 2, .step = -2}).to_vector(), (vector{7, 5, 3}));
    EXPECT_EQ(all.slice(0, {.from = 2, .step = -1}).to_vector(), (vector{2, 1, 0}));
    EXPECT_EQ(all.slice(0, {.from = -100, .to = 100}).to_vector().size(), 10u) << "limits are no errors";
    EXPECT_EQ(all.slice(0, {.from = 100, .to = -100, .step = -1}).to_vector().size(), 10u);
    for (const auto& none : {procpool::ArraySlice{.from = 5, .to = 5},
                             {.from = 8, .to = 2},
                             {.from = 10},
                             {.from = 2, .to = 8, .step = -1}})
        EXPECT_TRUE(all.slice(0, none).empty());
    EXPECT_TRUE((ArrayView<int, 1>().slice(0, {.step = -1}).empty()));
    EXPECT_THROW((void)all.slice(1, {}), std::out_of_range);
    EXPECT_THROW((void)all.slice(0, {.step = 0}), std::invalid_argument);
}

TEST_F(array_view, slices_of_slices_show_the_same_elements) {
    const ArrayView<int, 2> view(numbers.data(), {4, 6});
    const auto inner = view.slice(0, {.from = 1, .to = 3}).slice(1, {.step = 2}).slice(1, {.step = -1});
    EXPECT_EQ(inner.shape(), (std::array<std::size_t, 2>{2, 3}));
    EXPECT_EQ(inner.to_vector(), (std::vector{10, 8, 6, 16, 14, 12}));
    inner(1, 0) = -1;
    EXPECT_EQ(numbers[16], -1);
}

TEST_F(array_view, rows_are_the_sub_arrays_in_order) {
    const ArrayView<int, 2> view(numbers.data(), {4, 6});
    int first = 0;
    for (const ArrayView<int, 1> row : view.rows()) {
        EXPECT_EQ(row(0), first);
        EXPECT_EQ(row.size(), 6u);
        first += 6;
    }
    EXPECT_EQ(first, 24);
    EXPECT_EQ(view.rows().size(), 4u);
    for (int& element : view[3].rows()) element = 0;
    EXPECT_EQ(numbers[23], 0);
    EXPECT_EQ((ArrayView<int, 2>().rows().begin()), (ArrayView<int, 2>().rows().end()));
}

TEST_F(array_view, transposes_dimensions_without_a_copy) {
    const ArrayView<int, 3> view(numbers.data(), {2, 3, 4});
    EXPECT_EQ(view.transposed().shape(), (std::array<std::size_t, 3>{4, 3, 2}));
    EXPECT_EQ(&view.transposed()(3, 2, 1), &numbers[23]);
    const auto turned = view.transposed({1, 2, 0});
    EXPECT_EQ(turned.shape(), (std::array<std::size_t, 3>{3, 4, 2}));
    EXPECT_EQ(turned(2, 1, 1), view(1, 2, 1));
    EXPECT_THROW((void)view.transposed({0, 1, 1}), std::invalid_argument);
    EXPECT_THROW((void)view.transposed({0, 1, 3}), std::invalid_argument);
}

TEST_F(array_view, reshapes_elements_that_lie_side_by_side) {
    const ArrayView<int, 3> view(numbers.data(), {2, 3, 4});
    EXPECT_EQ(view.reshape<1>({24})(23), 23);
    EXPECT_EQ(view.reshape<2>({6, 4})(5, 0), 20);
    EXPECT_EQ((view[1].reshape<4>({1, 4, 1, 3})(0, 3, 0, 2)), 23);
    EXPECT_THROW((void)view.reshape<2>({5, 5}), std::invalid_argument);
    EXPECT_THROW((void)view.transposed().reshape<1>({24}), std::logic_error);
}

// ---- all elements at once

TEST_F(array_view, fills_no_more_than_what_it_shows) {
    ArrayView<int, 1>(numbers.data(), {4}).fill(7);
    ArrayView<int, 2>(numbers.data(), {4, 6}).slice(1, {.from = -1}).fill(9);
    EXPECT_EQ((std::vector(numbers.begin(), numbers.begin() + 12)),
              (std::vector{7, 7, 7, 7, 4, 9, 6, 7, 8, 9, 10, 9}));
}

TEST_F(array_view, copies_from_ranges_of_its_size_only) {
    const ArrayView<int, 2> view(numbers.data(), {2, 2});
    view.copy_from(std::vector{4, 3, 2, 1});
    EXPECT_EQ(view(0, 0), 4);
    view.transposed().copy_from(std::list<short>{1, 2, 3, 4});
    EXPECT_EQ(view(0, 1), 3);
    view.copy_from(ArrayView<const int, 2>(numbers.data() + 8, {2, 2}).transposed());
    EXPECT_EQ(view.to_vector(), (std::vector{8, 10, 9, 11}));
    EXPECT_THROW(view.copy_from(std::vector{1, 2, 3}), std::invalid_argument);
    EXPECT_THROW(view.copy_from(std::vector{1, 2, 3, 4, 5}), std::invalid_argument);
    EXPECT_EQ(view(0, 0), 8) << "what can't be copied leaves it as it was";
}

TEST_F(array_view, of_bool_has_a_vector_of_its_elements) {
    const std::array<bool, 3> flags = {false, true, true};
    EXPECT_EQ((ArrayView<const bool, 1>(flags.data(), {3}).to_vector()), (std::vector{false, true, true}));
    EXPECT_EQ((ArrayView<const bool, 1>(flags.data(), {2}, {2}).to_vector()), (std::vector{false, true}));
}

TEST_F(array_view, is_equal_to_one_of_the_same_shape_and_elements) {
    const std::vector<long> same(numbers.begin(), numbers.end());
    const ArrayView<int, 2> view(numbers.data(), {4, 6});
    EXPECT_TRUE(view == (ArrayView<const long, 2>(same.data(), {4, 6})));
    EXPECT_TRUE(view != (ArrayView<const long, 2>(same.data(), {6, 4})));
    EXPECT_TRUE(view.slice(0, {.to = 2}) == (ArrayView<int, 2>(numbers.data(), {2, 6})));
    EXPECT_TRUE(view.slice(1, {.step = -1}) != view);
}

}  // namespace array_view_test
