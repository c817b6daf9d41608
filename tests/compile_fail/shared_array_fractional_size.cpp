// expect: procpool: the sizes of an array are integers
// SPDX-License-Identifier: MIT
#include <procpool/shared_array.hpp>

procpool::SharedArray<int, 2> make(double rows) { return procpool::SharedArray<int, 2>({rows, 3}); }
