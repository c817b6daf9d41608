// SPDX-License-Identifier: MIT
#include <procpool/parallel.hpp>

#include <vector>

long cube(long x) { return x * x * x; }

int main() {
    const std::vector<long> cubes = procpool::Parallel(2)(std::vector<long>{1, 2, 3} | procpool::delayed(cube));
    return cubes[0] == 1 ? 0 : 1;
}
