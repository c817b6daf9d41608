// expect: procpool: rank mismatch: an element has as many indices as the array has dimensions
// SPDX-License-Identifier: MIT
#include <procpool/shared_array.hpp>

int& element(const procpool::SharedArray<int, 3>& array) { return array(1, 2); }
