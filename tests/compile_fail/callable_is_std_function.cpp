// expect: procpool: a std::function hides what it holds
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <functional>

int run(procpool::Pool& pool, const std::function<int(int)>& function) { return pool.apply(function, 3); }
