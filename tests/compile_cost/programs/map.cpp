// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <vector>

long cube(long x) { return x * x * x; }

int main() {
    procpool::Pool pool(2);
    const std::vector<long> cubes = pool.map(cube, std::vector<long>{1, 2, 3});
    return cubes[0] == 1 ? 0 : 1;
}
