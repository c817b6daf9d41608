// expect: procpool: a SharedArray can't hold pointers or references
// SPDX-License-Identifier: MIT
#include <procpool/shared_array.hpp>

procpool::SharedArray<const char*, 1> names({3});
