// SPDX-License-Identifier: MIT
// Executors: one word changes between processes and threads.
//
//   with ProcessPoolExecutor(3) as executor:            # or ThreadPoolExecutor
//       results = list(executor.map(cube, range(1, 1000)))
//       futures = {executor.submit(cube, x): x for x in (2, 3, 4)}
//       for future in as_completed(futures): print(futures[future], future.result())
#include <iostream>
#include <map>
#include <ranges>
#include <unordered_map>
#include <vector>

#include <procpool/executor.hpp>

#include "start_method.hpp"

namespace mp = procpool;

long cube(long x) { return x * x * x; }

// [executor]
template <class Executor>
void run(const char* name) {
    Executor executor(3);
    std::vector<long> results;
    for (const long x3 : executor.map(cube, std::views::iota(1, 1000))) results.push_back(x3);
    std::cout << name << ": " << results[0] << " " << results[1] << " ... " << results.back() << "\n";

    std::unordered_map<mp::Future<long>, long> inputs;
    for (const long x : {2, 3, 4}) inputs.emplace(executor.submit(cube, x), x);
    std::map<long, long> cubes;  // they come in any order
    for (const auto& future : mp::as_completed(std::views::keys(inputs)))
        cubes[inputs.at(future)] = future.result();
    for (const auto& [x, x3] : cubes) std::cout << x << "^3 = " << x3 << "\n";
}  // waits for what was submitted, as Python's `with` does

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    run<mp::ProcessPoolExecutor>("processes");
    run<mp::ThreadPoolExecutor>("threads");
}
// [/executor]
