// SPDX-License-Identifier: MIT
// A process for each of 999 cubes: it can be done, and shows why there are pools (see pool_map.cpp).
//
//   processes = [Process(target=cube, args=(x,)) for x in range(1, 1000)]
//   for p in processes: p.start()
//   for p in processes: p.join()          # and where are the results?
#include <cstddef>
#include <iostream>
#include <utility>
#include <vector>

#include <procpool/process.hpp>
#include <procpool/queue.hpp>

#include "start_method.hpp"

namespace mp = procpool;

using Results = mp::Queue<std::pair<long, long>>;

// What a process returns nobody gets: results come through a queue.
void cube(const Results& results, long x) { results.put({x, x * x * x}); }

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    Results results;
    std::vector<mp::Process> processes;
    for (long x = 1; x < 1000; ++x) {
        processes.emplace_back(cube, results, x);
        processes.back().start();
        if (processes.size() == 50) processes.clear();  // which joins them
    }
    processes.clear();

    std::vector<long> cubes(1000);
    for (int i = 1; i < 1000; ++i) {
        const auto [x, x3] = results.get();
        cubes[static_cast<std::size_t>(x)] = x3;
    }
    std::cout << cubes[1] << " " << cubes[2] << " " << cubes[3] << " ... " << cubes[999] << "\n";
}
