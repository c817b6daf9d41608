// expect: procpool: std::ref refers to an object of this process
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <functional>

struct counter {
    int operator()(int x) { return total += x; }
    int total = 0;
};

std::vector<int> run(procpool::Pool& pool, counter& count, const std::vector<int>& inputs) {
    return pool.map(std::ref(count), inputs);
}
