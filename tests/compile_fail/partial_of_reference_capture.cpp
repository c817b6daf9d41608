// expect: procpool: this callable captures by reference
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

std::vector<int> run(procpool::Pool& pool, const std::vector<int>& inputs) {
    int calls = 0;
    return pool.map(procpool::partial([&calls](int a, int b) { return ++calls, a + b; }, 1), inputs);
}
