// expect: procpool: the task's result can't be sent back
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <string>

struct report {
    std::string title;
    double score;
};
report analyse(int number);

double run(procpool::Pool& pool) {
    const auto result = pool.apply(analyse, 3);
    return result.score;
}
