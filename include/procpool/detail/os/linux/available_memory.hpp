// SPDX-License-Identifier: MIT
// How much memory there is left, before a process is killed for taking it.
#ifndef PROCPOOL_DETAIL_OS_LINUX_AVAILABLE_MEMORY_HPP
#define PROCPOOL_DETAIL_OS_LINUX_AVAILABLE_MEMORY_HPP

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

#include "procpool/detail/os/cgroup.hpp"

namespace procpool::inline v0_1::detail::os {

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

/// What this process may take before it reads again how much there is. The kernel promises any amount, and
/// kills whoever takes it at its word; but small amounts are had in less time than that takes.
inline std::atomic<std::uint64_t> memory_without_a_check{std::uint64_t{1} << 20};

/// Whether to ask for memory_left() before `size` bytes more are taken.
inline bool is_worth_a_check(std::uint64_t size) noexcept {
    std::uint64_t there = memory_without_a_check.load(std::memory_order_relaxed);
    while (size <= there)
        if (memory_without_a_check.compare_exchange_weak(there, there - size, std::memory_order_relaxed))
            return false;
    return true;
}

/// Reads what can be taken, and leaves something for what processes take without being asked, as a heap. The
/// less it is, the sooner the next check.
inline std::uint64_t memory_left() {
    constexpr std::uint64_t for_others = std::uint64_t{4} << 20, most = std::uint64_t{16} << 20;
    const std::uint64_t there = available_memory();
    const std::uint64_t left = there - std::min(there, for_others);
    memory_without_a_check.store(std::min(most, left / 16), std::memory_order_relaxed);
    return left;
}

/// Whether `size` bytes more can be taken; does not always read it.
inline bool has_memory_for(std::uint64_t size) { return !is_worth_a_check(size) || size <= memory_left(); }

}  // namespace procpool::inline v0_1::detail::os

#endif
