// expect: procpool: this callable captures by reference
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

std::vector<int> run(procpool::Pool& pool, const std::vector<int>& inputs) {
    int offset = 5;
    return pool.map([&offset](int x) { return x + offset; }, inputs);
}
