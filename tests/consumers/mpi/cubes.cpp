// SPDX-License-Identifier: MIT
#include <vector>

#include <procpool/mpi.hpp>

static long cube(long x) { return x * x * x; }

std::vector<long> cubes(procpool::mpi::Pool& pool, const std::vector<long>& numbers) {
    return pool.map(cube, numbers);
}
