// SPDX-License-Identifier: MIT
// The same as pool_apply_async.cpp in one line; cube stands in another file, which needs no more than its
// declaration.
//
//   from cube import cube
//   with Pool() as pool:
//       results = pool.map(cube, range(1, 1000))
#include <iostream>
#include <ranges>
#include <vector>

#include <procpool/pool.hpp>

#include "cube/cube.hpp"
#include "start_method.hpp"

namespace mp = procpool;

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    mp::Pool pool;
    const std::vector<long> results = pool.map(cube, std::views::iota(1, 1000));
    std::cout << results[0] << " " << results[1] << " " << results[2] << " ... " << results.back() << "\n";

    // A lambda will do, too.
    for (const int x : mp::Pool(2).map([](int i) { return i * i; }, std::vector{1, 2, 3}))
        std::cout << x << " ";
    std::cout << "\n";
}
