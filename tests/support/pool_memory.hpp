// SPDX-License-Identifier: MIT
// The memory that a pool shares with its workers, as a test sees it.
#ifndef PROCPOOL_TESTS_SUPPORT_POOL_MEMORY_HPP
#define PROCPOOL_TESTS_SUPPORT_POOL_MEMORY_HPP

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace test {

/// Whether an address of this process is one of a pool's memory.
inline bool is_in_pool_memory(const void* pointer) {
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) == 2 && begin <= address && address < end)
            return line.find("memfd:procpool ") != std::string::npos;
    }
    return false;
}

}  // namespace test

#endif
