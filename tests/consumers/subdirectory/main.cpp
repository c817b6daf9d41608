// SPDX-License-Identifier: MIT
#include <iostream>
#include <numeric>
#include <vector>

#include <procpool/pool.hpp>

std::vector<long> left_cubes();
std::vector<long> right_cubes(procpool::Pool& pool, const std::vector<long>& numbers);

int main() {
    procpool::Pool pool(2);
    std::vector<long> numbers(500);
    std::iota(numbers.begin(), numbers.end(), 500L);
    const auto low = left_cubes();
    const auto high = right_cubes(pool, numbers);
    const long sum =
        std::accumulate(low.begin(), low.end(), 0L) + std::accumulate(high.begin(), high.end(), 0L);
    std::cout << sum << '\n';
    return sum == 249'500'250'000 ? 0 : 1;
}
