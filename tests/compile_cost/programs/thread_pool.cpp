// SPDX-License-Identifier: MIT
#include <procpool/thread_pool.hpp>

#include <vector>

long cube(long x) { return x * x * x; }

int main() {
    procpool::ThreadPool pool(2);
    const std::vector<long> cubes = pool.map(cube, std::vector<long>{1, 2, 3});
    return cubes[0] == 1 ? 0 : 1;
}
