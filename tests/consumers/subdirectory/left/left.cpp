// SPDX-License-Identifier: MIT
#include <ranges>
#include <vector>

#include <procpool/pool.hpp>

static long cube(long x) { return x * x * x; }

std::vector<long> left_cubes() { return procpool::Pool(2).map(cube, std::views::iota(1L, 500L)); }
