// expect: the call is given up when its results are dropped
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#pragma GCC diagnostic error "-Wunused-result"

int twice(int x);

void run(procpool::Pool& pool, const std::vector<int>& inputs) { pool.imap(twice, inputs); }
