// SPDX-License-Identifier: MIT
// What lies at an address of this process.
#ifndef PROCPOOL_DETAIL_OS_LINUX_MEMORY_MAP_HPP
#define PROCPOOL_DETAIL_OS_LINUX_MEMORY_MAP_HPP

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::os {

/// Names the mapping that holds `address`, for example "[stack]", "[heap]", the path of a program or
/// "memory"; empty if nothing that can be read is mapped there (or /proc can't be read).
template <class = only_if_used>
std::string what_is_mapped_at(std::uintptr_t address) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> maps(std::fopen("/proc/self/maps", "re"),
                                                               &std::fclose);
    if (!maps) return {};
    char line[512];
    while (std::fgets(line, sizeof line, maps.get())) {
        unsigned long begin = 0;
        unsigned long end = 0;
        char readable = '-';
        int name_at = 0;
        if (std::sscanf(line, "%lx-%lx %c%*s %*s %*s %*s %n", &begin, &end, &readable, &name_at) < 3)
            continue;
        if (address < begin || address >= end) continue;
        if (readable != 'r') return {};  // reserved, for a thread's heap for instance, and not in use
        std::string name(line + name_at);
        while (!name.empty() && (name.back() == '\n' || name.back() == ' ')) name.pop_back();
        return name.empty() ? "memory" : name;
    }
    return {};
}

}  // namespace procpool::inline v0_1::detail::os

#endif
