// expect: procpool: this lambda captures this
// only: GCC
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

struct Scaler {
    int factor = 5;
    std::vector<int> run(procpool::Pool& pool, const std::vector<int>& inputs) {
        return pool.map([this](int x) { return x * factor; }, inputs);
    }
};
