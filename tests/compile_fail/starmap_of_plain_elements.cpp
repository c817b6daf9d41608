// expect: procpool: starmap takes a range of tuples or pairs
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

int cube(int x);

std::vector<int> run(procpool::Pool& pool, const std::vector<int>& numbers) {
    return pool.starmap(cube, numbers);
}
