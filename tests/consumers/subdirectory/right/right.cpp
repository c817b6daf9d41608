// SPDX-License-Identifier: MIT
#include <vector>

#include <procpool/pool.hpp>

static long cube(long x) { return x * x * x; }

std::vector<long> right_cubes(procpool::Pool& pool, const std::vector<long>& numbers) {
    return pool.map(cube, numbers);
}
