// expect: outcomes may hold errors, which nothing throws
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#pragma GCC diagnostic error "-Wunused-result"

int twice(int x);

void run(procpool::Pool& pool, const std::vector<int>& inputs) { pool.try_map(twice, inputs); }
