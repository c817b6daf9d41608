// expect: procpool: a raw pointer can't be sent
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

double mean(const std::vector<double>* values);

double run(procpool::Pool& pool, const std::vector<double>& values) { return pool.apply(mean, &values); }
