// expect: procpool: an argument can't be serialised
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>

int sum(procpool::ArrayView<int, 1> row);

int run(procpool::Pool& pool, const procpool::SharedArray<int, 2>& array) {
    return pool.apply(sum, array[0]);
}
