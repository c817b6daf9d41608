// expect: procpool: a pointer to an object can't be called in another process
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

struct scaler {
    int operator()(int x) const { return 2 * x; }
};

void run(procpool::Pool& pool, scaler* scale, const std::vector<int>& inputs) {
    auto handle = pool.map_async(scale, inputs);
    handle.wait();
}
