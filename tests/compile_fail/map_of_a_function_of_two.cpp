// expect: procpool: the task can't be called with these arguments
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <tuple>

int area(int width, int height);

int run(procpool::Pool& pool, const std::vector<std::tuple<int, int>>& sizes) {
    int total = 0;
    for (const auto& outcome : pool.try_map(area, sizes))
        if (outcome.has_value()) total += *outcome;
    return total;
}
