// expect: procpool: the task's result can't be sent back
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

struct image {};
image* load(int number);

void run(procpool::Pool& pool, const std::vector<int>& numbers) {
    for (image* loaded : pool.map(load, numbers)) delete loaded;
}
