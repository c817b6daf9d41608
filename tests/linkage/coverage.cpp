// SPDX-License-Identifier: MIT
// Runs a task that is compiled for coverage 1000 times in two workers, some of which leave early.
#include <numeric>
#include <vector>

#include "procpool/freeze_support.hpp"
#include "procpool/pool.hpp"
#include "procpool/start_method.hpp"

int counted_task(int x);

int main(int argc, char** argv) {
    namespace mp = procpool;
    mp::freeze_support(argc, argv);
    std::vector<int> numbers(500);
    std::iota(numbers.begin(), numbers.end(), 0);
    for (const auto method : {mp::start_method::fork, mp::start_method::spawn}) {
        mp::Pool pool({.processes = 2, .maxtasksperchild = 100, .start_method = method});
        pool.map(counted_task, numbers, {.chunksize = 10});
        pool.close();
        pool.join();
    }
}
