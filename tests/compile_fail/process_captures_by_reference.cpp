// expect: procpool: this callable captures by reference
// SPDX-License-Identifier: MIT
#include <procpool/process.hpp>

void run(int& sum) {
    procpool::Process process([&sum] { ++sum; });
}
