// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

long cube(long x) { return x * x * x; }

int main() {
    procpool::Pool pool(2);
    return pool.apply_async(cube, 1L).get() == 1 ? 0 : 1;
}
