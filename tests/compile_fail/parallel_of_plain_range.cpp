// expect: procpool: Parallel takes calls: range | delayed(f)
// SPDX-License-Identifier: MIT
#include <procpool/parallel.hpp>

void run(const std::vector<int>& numbers) { procpool::Parallel(2)(numbers); }
