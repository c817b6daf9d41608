// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <vector>

long cube(long x) { return x * x * x; }

int main() {
    procpool::Pool pool(2);
    long sum = 0;
    for (const long x : pool.imap(cube, std::vector<long>{1, 2, 3})) sum += x;
    return sum == 36 ? 0 : 1;
}
