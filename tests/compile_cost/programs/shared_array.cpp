// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>

#include <vector>

void put(const procpool::SharedArray<long, 1>& cubes, long x) { cubes[x] = x * x * x; }

int main() {
    const procpool::SharedArray<long, 1> cubes({4});
    procpool::Pool pool(2);
    pool.map(procpool::partial(put, cubes), std::vector<long>{1, 2, 3});
    return cubes[1] == 1 ? 0 : 1;
}
