// expect: procpool: the task can't be called with these arguments
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <string>
#include <tuple>

int area(int width, int height);

std::vector<int> run(procpool::Pool& pool, const std::vector<std::tuple<int, std::string>>& sizes) {
    return pool.starmap(area, sizes);
}
