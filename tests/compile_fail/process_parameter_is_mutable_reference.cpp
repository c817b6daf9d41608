// expect: procpool: the task takes a mutable reference
// SPDX-License-Identifier: MIT
#include <procpool/process.hpp>

void fill(std::vector<int>& to) { to.push_back(1); }

void run(std::vector<int>& numbers) { procpool::Process process(fill, numbers); }
