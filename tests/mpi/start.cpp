// SPDX-License-Identifier: MIT
// Prints each node, and how many workers it has.
#include <cstdio>

#include "procpool/mpi.hpp"

int main(int argc, char** argv) {
    return procpool::mpi::run(argc, argv, [](int, char**) {
        const procpool::mpi::Pool pool;
        for (const auto& node : pool.nodes()) std::printf("%s has %zu\n", node.host.c_str(), node.workers);
        return 0;
    });
}
