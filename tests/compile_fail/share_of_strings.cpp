// expect: procpool: the elements of a SharedArray are plain data
// SPDX-License-Identifier: MIT
#include <procpool/shared_array.hpp>
#include <string>
#include <vector>

auto shared(const std::vector<std::string>& names) { return procpool::share(names); }
