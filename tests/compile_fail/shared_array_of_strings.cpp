// expect: procpool: the elements of a SharedArray are plain data
// SPDX-License-Identifier: MIT
#include <procpool/shared_array.hpp>
#include <string>

procpool::SharedArray<std::string, 1> names({3});
