// SPDX-License-Identifier: MIT
// Results one by one, for inputs that don't fit into memory.
//
//   for x in pool.imap(cube, numbers()): ...              # swallows all of its input at once
//   for x in pool.imap_unordered(cube, numbers()): ...
#include <algorithm>
#include <iostream>
#include <ranges>
#include <vector>

#include <procpool/pool.hpp>

#include "start_method.hpp"

namespace mp = procpool;

long cube(long x) { return x * x * x; }

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    mp::Pool pool(3);

    long pulled = 0;  // how much of the endless input was looked at
    auto numbers = std::views::iota(1L) | std::views::transform([&pulled](long x) { return pulled = x; });
    long taken = 0;
    for (const long x3 : pool.imap(cube, numbers)) {
        ++taken;
        if (x3 > 1'000'000) {
            std::cout << "the first cube over a million is " << x3 << "\n";
            break;
        }
    }
    std::cout << "read ahead: " << (pulled - taken <= 6 ? "two for each worker" : "too much") << "\n";

    std::vector<long> cubes;
    for (const long x3 : pool.imap_unordered(cube, std::views::iota(1, 10))) cubes.push_back(x3);
    std::ranges::sort(cubes);  // they come as they are ready
    std::cout << cubes.front() << " ... " << cubes.back() << "\n";
}
