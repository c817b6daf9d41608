// SPDX-License-Identifier: MIT
#include <iostream>
#include <numeric>
#include <ranges>

#include <procpool/pool.hpp>

long cube(long x) { return x * x * x; }

int main() {
    procpool::Pool pool(2);
    const auto cubes = pool.map(cube, std::views::iota(1L, 1000L));
    const long sum = std::accumulate(cubes.begin(), cubes.end(), 0L);
    std::cout << sum << '\n';
    return sum == 249'500'250'000 ? 0 : 1;
}
