// expect: procpool: an argument of partial() can't be serialised
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <string>

struct settings {
    std::string mode;
};
int convert(const settings& how, int x);

std::vector<int> run(procpool::Pool& pool, const settings& how, const std::vector<int>& inputs) {
    return pool.map(procpool::partial(convert, how), inputs);
}
