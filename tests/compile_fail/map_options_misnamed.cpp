// expect: procpool: options are given by name, in braces: map(f, xs, {.chunksize = 10})
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

int twice(int x);

std::vector<int> run(procpool::Pool& pool, const std::vector<int>& inputs) {
    return pool.map(twice, inputs, {.chunk = 3});
}
