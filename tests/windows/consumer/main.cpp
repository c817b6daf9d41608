// SPDX-License-Identifier: MIT
#include <iostream>
#include <numeric>
#include <ranges>

#include <procpool/freeze_support.hpp>
#include <procpool/pool.hpp>

long long cube(long long x) { return x * x * x; }

int main(int argc, char** argv) {
    procpool::freeze_support(argc, argv);
    procpool::Pool pool(2);
    const auto cubes = pool.map(cube, std::views::iota(1LL, 1000LL));
    const long long sum = std::accumulate(cubes.begin(), cubes.end(), 0LL);
    std::cout << sum << '\n';
    return sum == 249'500'250'000 ? 0 : 1;
}
