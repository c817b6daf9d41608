// expect: procpool: this callable owns what it captured
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <string>

std::vector<std::string> run(procpool::Pool& pool, const std::vector<std::string>& names) {
    std::string folder = "/tmp/";
    const auto paths = pool.map([folder](const std::string& name) { return folder + name; }, names);
    return paths;
}
