// expect: procpool: rank mismatch: a SharedArray<T, Rank> takes one size for each dimension
// SPDX-License-Identifier: MIT
#include <procpool/shared_array.hpp>

procpool::SharedArray<int, 3> make(int rows, int cols) { return procpool::SharedArray<int, 3>({rows, cols}); }
