// SPDX-License-Identifier: MIT
#include "procpool/interop/mdspan.hpp"

#include <gtest/gtest.h>

#if defined(__cpp_lib_mdspan)

#include <array>
#include <numeric>
#include <stdexcept>

namespace mdspan_test {

using procpool::ArrayView;
using procpool::interop::to_mdspan;

TEST(mdspan, shows_the_elements_of_a_view) {
    std::array<int, 24> numbers{};
    std::iota(numbers.begin(), numbers.end(), 0);
    const ArrayView<int, 3> view(numbers.data(), {2, 3, 4});
    const auto columns = view.transposed().slice(0, {.step = 2});
    const auto shown = to_mdspan(columns);
    ASSERT_EQ(shown.rank(), 3u);
    for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t j = 0; j < 3; ++j)
            for (std::size_t k = 0; k < 2; ++k) {
                const std::array<std::size_t, 3> at{i, j, k};
                EXPECT_EQ(&shown[at], &columns(i, j, k));
            }
    EXPECT_EQ(to_mdspan(ArrayView<int, 2>()).size(), 0u);
    EXPECT_EQ(to_mdspan(ArrayView<const int, 2>(view[0])).extent(1), 4u);
    EXPECT_THROW((void)to_mdspan(view.slice(1, {.step = -1})), std::logic_error);
    EXPECT_EQ(to_mdspan(view.slice(1, {.to = 1}).slice(1, {.step = -1})).extent(1), 1u);
}

}  // namespace mdspan_test

#else

TEST(mdspan, shows_the_elements_of_a_view) { GTEST_SKIP() << "this standard library has no std::mdspan"; }

#endif
