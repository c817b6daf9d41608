// expect: procpool: this callable captures by reference
// SPDX-License-Identifier: MIT
#include <procpool/parallel.hpp>

std::vector<int> run(int offset) {
    const auto add = [&offset](int x) { return x + offset; };
    return procpool::Parallel(2)(std::vector{procpool::delayed(add)(1)});
}
