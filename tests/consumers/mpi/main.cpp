// SPDX-License-Identifier: MIT
#include <numeric>
#include <vector>

#include <procpool/mpi.hpp>

std::vector<long> cubes(procpool::mpi::Pool& pool, const std::vector<long>& numbers);

int main(int argc, char** argv) {
    return procpool::mpi::run(argc, argv, [](int, char**) {
        procpool::mpi::Pool pool(2);
        std::vector<long> numbers(999);
        std::iota(numbers.begin(), numbers.end(), 1);
        const auto all = cubes(pool, numbers);
        return std::accumulate(all.begin(), all.end(), 0L) == 249'500'250'000 ? 0 : 1;
    });
}
