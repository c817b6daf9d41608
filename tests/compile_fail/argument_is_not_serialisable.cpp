// expect: procpool: an argument can't be serialised
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <map>
#include <string>

int count(const std::map<std::string, int>& words);  // <cereal/types/map.hpp> is missing

std::vector<int> run(procpool::Pool& pool, const std::vector<std::map<std::string, int>>& all) {
    const std::vector<int> counts = pool.map(count, all);
    return counts;
}
