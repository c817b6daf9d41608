// expect: procpool: the task can't be called with these arguments
// SPDX-License-Identifier: MIT
#include <procpool/process.hpp>

void task(int, int) {}

void run() { procpool::Process process(task, 1); }
