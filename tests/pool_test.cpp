// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <procpool/pool.hpp>

namespace mp = procpool;
namespace {
long cube(long x) { return x * x * x; }
TEST(Pool, map_returns_results_in_input_order) {
    mp::Pool pool(2);
    const std::vector<long> r = pool.map(cube, std::views::iota(1, 1000));
    ASSERT_EQ(r.size(), 999u);
    EXPECT_EQ(r.back(), 997002999);
}
}  // namespace
