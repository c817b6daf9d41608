// expect: without the future nobody sees the call's error
// SPDX-License-Identifier: MIT
#include <procpool/executor.hpp>

#pragma GCC diagnostic error "-Wunused-result"

int twice(int x);

void run(procpool::ProcessPoolExecutor& executor) { executor.submit(twice, 1); }
