// SPDX-License-Identifier: MIT
#include <numeric>
#include <vector>

#include <procpool/mpi.hpp>

long cube(long x) { return x * x * x; }

int main(int argc, char** argv) {
    return procpool::mpi::run(argc, argv, [](int, char**) {
        procpool::mpi::Pool pool(2);
        std::vector<long> numbers(999);
        std::iota(numbers.begin(), numbers.end(), 1);
        const auto cubes = pool.map(cube, numbers);
        return std::accumulate(cubes.begin(), cubes.end(), 0L) == 249'500'250'000 ? 0 : 1;
    });
}
