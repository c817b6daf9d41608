// expect: procpool: a raw pointer can't be sent
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <string>

std::size_t run(procpool::Pool& pool, int argc, const char* argv[]) {
    std::vector<const char*> names(argv, argv + argc);
    std::size_t total = 0;
    for (const auto size : pool.imap([](const std::string& name) { return name.size(); }, names))
        total += size;
    return total;
}
