// expect: without the handle nobody sees the call's error
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#pragma GCC diagnostic error "-Wunused-result"

int twice(int x);

void run(procpool::Pool& pool, const std::vector<int>&) { pool.apply_async(twice, 1); }
