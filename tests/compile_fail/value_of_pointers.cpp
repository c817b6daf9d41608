// expect: procpool: a shared value can't be a pointer
// SPDX-License-Identifier: MIT
#include <procpool/value.hpp>

const int* run(const int* numbers) { return procpool::RawValue<const int*>(numbers).value(); }
