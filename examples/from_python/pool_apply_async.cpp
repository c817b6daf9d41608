// SPDX-License-Identifier: MIT
// 999 calls by three workers, each with a handle.
//
//   with Pool(3) as pool:
//       handles = [pool.apply_async(cube, (x,)) for x in range(1, 1000)]
//       results = [handle.get() for handle in handles]
#include <iostream>
#include <vector>

#include <procpool/pool.hpp>

#include "start_method.hpp"

namespace mp = procpool;

long cube(long x) { return x * x * x; }

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    mp::Pool pool(3);
    std::vector<mp::AsyncResult<long>> handles;
    for (long x = 1; x < 1000; ++x) handles.push_back(pool.apply_async(cube, x));
    std::vector<long> results;
    for (auto& handle : handles) results.push_back(handle.get());
    std::cout << results[0] << " " << results[1] << " " << results[2] << " ... " << results.back() << "\n";
}
