// SPDX-License-Identifier: MIT
// Uses the processors of all machines that it is started on: mpiexec -n 3 --map-by ppr:1:node ./cluster
#include <iostream>
#include <numeric>
#include <vector>

#include <procpool/mpi.hpp>

namespace mp = procpool;

// [cluster]
int primes_in_block(int block) {  // of 10,000 numbers
    int primes = 0;
    for (int n = block * 10'000; n < (block + 1) * 10'000; ++n) {
        bool is_prime = n > 1;
        for (int k = 2; is_prime && k * k <= n; ++k) is_prime = n % k != 0;
        if (is_prime) ++primes;
    }
    return primes;
}

int main(int argc, char** argv) {
    return mp::mpi::run(argc, argv, [](int, char**) {  // on rank 0; the other ranks host workers meanwhile
        mp::mpi::Pool pool;
        for (const auto& node : pool.nodes()) std::cerr << node.host << ": " << node.workers << " workers\n";
        std::vector<int> blocks(200);
        std::iota(blocks.begin(), blocks.end(), 0);
        const std::vector<int> primes = pool.map(primes_in_block, blocks);
        std::cout << std::accumulate(primes.begin(), primes.end(), 0) << " primes below 2,000,000\n";
        return 0;
    });
}
// [/cluster]
