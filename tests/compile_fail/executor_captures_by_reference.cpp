// expect: procpool: this callable captures by reference
// SPDX-License-Identifier: MIT
#include <procpool/executor.hpp>

int run(procpool::ProcessPoolExecutor& executor, int offset) {
    int sum = 0;
    for (const int x :
         executor.map([&offset](int a, int b) { return a + b + offset; }, std::vector{1}, std::vector{2}))
        sum += x;
    return sum + executor.submit([&offset](int x) { return x + offset; }, 1).result();
}
