// expect: procpool: for a SharedArray<T> of any number of dimensions include <procpool/dynamic_array.hpp>
// headers: its own
// SPDX-License-Identifier: MIT
#include <procpool/shared_array.hpp>

procpool::SharedArray<float> images({3, 480, 640});
