// expect: procpool: a raw pointer can't be bound
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

int lookup(const int* table, int i);

std::vector<int> run(procpool::Pool& pool, const std::vector<int>& table, const std::vector<int>& indices) {
    return pool.map(procpool::partial(lookup, table.data()), indices);
}
