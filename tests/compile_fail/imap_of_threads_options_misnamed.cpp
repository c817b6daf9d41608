// expect: procpool: options are given by name, in braces: map(f, xs, {.chunksize = 10})
// SPDX-License-Identifier: MIT
#include <procpool/thread_pool.hpp>

int twice(int x);

int run(procpool::ThreadPool& pool, const std::vector<int>& inputs) {
    int sum = 0;
    for (int y : pool.imap_unordered(twice, inputs, {.chunk_size = 3})) sum += y;
    return sum;
}
