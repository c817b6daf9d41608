// SPDX-License-Identifier: MIT
// joblib's loop.
//
//   Parallel(n_jobs=3)(delayed(cube)(i) for i in range(1, 1000))
//   Parallel(n_jobs=3)([(cube, (2,), {}), (cube, (3,), {})])
//   Parallel(n_jobs=3, prefer="threads")(delayed(cube)(i) for i in range(1, 1000))
//   for x in Parallel(n_jobs=3, return_as="generator")(...): ...
#include <iostream>
#include <ranges>
#include <utility>
#include <vector>

#include <procpool/parallel.hpp>

#include "start_method.hpp"

namespace mp = procpool;

long cube(long x) { return x * x * x; }
long product(long a, long b) { return a * b; }

void print(const std::vector<long>& results) {
    std::cout << results.front() << " ... " << results.back() << "\n";
}

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    // [parallel]
    print(mp::Parallel(3)(std::views::iota(1, 1000) | mp::delayed(cube)));
    print(mp::Parallel(3, mp::prefer::threads)(std::views::iota(1, 1000) | mp::delayed(cube)));

    // Calls one by one; tuples, whose members are the arguments; results while they come.
    print(mp::Parallel(3)(std::vector{mp::delayed(cube)(2), mp::delayed(cube)(3)}));
    print(mp::Parallel(3)(std::vector<std::pair<long, long>>{{2, 3}, {4, 5}} | mp::delayed(product)));
    for (const long x3 : mp::Parallel(3, mp::return_as::generator)(std::views::iota(1) | mp::delayed(cube))) {
        if (x3 <= 1'000'000) continue;
        std::cout << "the first cube over a million is " << x3 << "\n";
        break;
    }
    // [/parallel]
}
