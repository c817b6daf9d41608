// expect: procpool: the task can't be called with these arguments
// SPDX-License-Identifier: MIT
#include <procpool/thread_pool.hpp>

#include <vector>

int area(int width, int height);

std::vector<int> run(procpool::ThreadPool& pool, const std::vector<int>& sizes) {
    return pool.map(area, sizes);
}
