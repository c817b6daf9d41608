// SPDX-License-Identifier: MIT
// How much memory there is left, before a process is killed for taking it.
#ifndef PROCPOOL_DETAIL_POSIX_AVAILABLE_MEMORY_HPP
#define PROCPOOL_DETAIL_POSIX_AVAILABLE_MEMORY_HPP

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "procpool/detail/posix/cgroup.hpp"

namespace procpool::detail::posix {

inline constexpr std::uint64_t unknown_memory = std::numeric_limits<std::uint64_t>::max();

/// The number that a control file holds; nothing for "max", or without the file.
inline std::optional<std::uint64_t> number_in(const std::string& path) {
    std::optional<std::uint64_t> number;
    for_each_line(path, [&](const char* line) {
        unsigned long long value = 0;
        if (!number && std::sscanf(line, "%llu", &value) == 1) number = value;
    });
    return number;
}

/// Adds up the numbers of some lines "NAME NUMBER"; nothing without any of them.
inline std::optional<std::uint64_t> sum_of(const std::string& path,
                                           std::initializer_list<std::string_view> names) {
    std::optional<std::uint64_t> sum;
    for_each_line(path, [&](const char* line) {
        char name[64];
        unsigned long long value = 0;
        if (std::sscanf(line, "%63s %llu", name, &value) != 2) return;
        if (std::find(names.begin(), names.end(), name) != names.end()) sum = sum.value_or(0) + value;
    });
    return sum;
}

/// What the control files of one version of cgroups are called.
struct memory_cgroup_files {
    const char* controller;
    const char* mounted_at;
    const char* limit;
    const char* usage;
    std::string_view inactive_cache;
    std::string_view active_cache;
};
inline constexpr memory_cgroup_files memory_cgroup_v1{"memory",
                                                      "/sys/fs/cgroup/memory",
                                                      "/memory.limit_in_bytes",
                                                      "/memory.usage_in_bytes",
                                                      "total_inactive_file",
                                                      "total_active_file"};
inline constexpr memory_cgroup_files memory_cgroup_v2{
    "", "/sys/fs/cgroup", "/memory.max", "/memory.current", "inactive_file", "active_file"};

/// Bytes that can still be taken: what the machine has, swap included, and what the cgroups of this
/// process leave; `unknown_memory` if nothing can be found out. Takes 40 us. `root` is for tests.
inline std::uint64_t available_memory(const std::string& root = "") {
    const auto kib = sum_of(root + "/proc/meminfo", {"MemAvailable:", "SwapFree:"});
    std::uint64_t least = kib ? *kib * 1024 : unknown_memory;
    for (const memory_cgroup_files& files : {memory_cgroup_v1, memory_cgroup_v2}) {
        for_each_cgroup(root, files.controller, files.mounted_at, [&](const std::string& group) {
            const auto limit = number_in(group + files.limit);
            const auto usage = number_in(group + files.usage);
            if (!limit || !usage) return;
            // Cached files count as used, but give way.
            const auto cache = sum_of(group + "/memory.stat", {files.inactive_cache, files.active_cache});
            const std::uint64_t held = *usage - std::min(*usage, cache.value_or(0));
            least = std::min(least, *limit - std::min(*limit, held));
        });
    }
    return least;
}

/// Bytes that the machine has.
inline std::uint64_t physical_memory() noexcept {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page = ::sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) : 0;
}

/// Whether to ask for available_memory() before `size` bytes more are taken. The kernel promises any amount,
/// and kills whoever takes it at its word; but small amounts are had in less time than a look takes.
inline bool is_worth_a_look(std::uint64_t size) noexcept {
    constexpr std::uint64_t much = std::uint64_t{16} << 20;
    static std::atomic<std::uint64_t> unseen{0};
    if (size < much && unseen.fetch_add(size, std::memory_order_relaxed) + size < much) return false;
    unseen.store(0, std::memory_order_relaxed);
    return true;
}

}  // namespace procpool::detail::posix

#endif
