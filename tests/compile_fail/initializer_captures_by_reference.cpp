// expect: procpool: this callable captures by reference
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

void run(int& level) {
    procpool::Pool pool(2, [&level] { level = 1; });
    pool.apply([] {});
}
