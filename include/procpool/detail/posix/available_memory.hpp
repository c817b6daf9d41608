// SPDX-License-Identifier: MIT
// How much memory there is left, before a process is killed for taking it.
#ifndef PROCPOOL_DETAIL_POSIX_AVAILABLE_MEMORY_HPP
#define PROCPOOL_DETAIL_POSIX_AVAILABLE_MEMORY_HPP

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace procpool::detail::posix {

inline constexpr std::uint64_t unknown_memory = std::numeric_limits<std::uint64_t>::max();

/// Calls `use` with each line of a file; a file that isn't there has none.
template <class Use>
void for_each_line(const std::string& path, Use use) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
    if (!file) return;
    char line[4352];  // a path of PATH_MAX and what stands before it
    while (std::fgets(line, sizeof line, file.get())) {
        line[std::strcspn(line, "\n")] = '\0';
        use(static_cast<const char*>(line));
    }
}

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
    const char* mounted_at;
    const char* limit;
    const char* usage;
    std::string_view inactive_cache;
    std::string_view active_cache;
};
inline constexpr memory_cgroup_files memory_cgroup_v1{"/sys/fs/cgroup/memory", "/memory.limit_in_bytes",
                                                      "/memory.usage_in_bytes", "total_inactive_file",
                                                      "total_active_file"};
inline constexpr memory_cgroup_files memory_cgroup_v2{"/sys/fs/cgroup", "/memory.max", "/memory.current",
                                                      "inactive_file", "active_file"};

/// What a cgroup and those above it leave.
inline std::uint64_t left_by_cgroups(const std::string& root, const memory_cgroup_files& files,
                                     std::string path) {
    std::uint64_t least = unknown_memory;
    if (path == "/") path.clear();
    while (true) {
        // In a container the path may be one that only the host sees: its own group is then the topmost.
        const std::string group = root + files.mounted_at + path;
        const auto limit = number_in(group + files.limit);
        const auto usage = number_in(group + files.usage);
        if (limit && usage) {
            // Cached files count as used, but give way.
            const auto cache = sum_of(group + "/memory.stat", {files.inactive_cache, files.active_cache});
            const std::uint64_t held = *usage - std::min(*usage, cache.value_or(0));
            least = std::min(least, *limit - std::min(*limit, held));
        }
        if (path.empty()) return least;
        path.erase(path.find_last_of('/'));
    }
}

/// Bytes that can still be taken: what the machine has, swap included, and what the cgroups of this
/// process leave; `unknown_memory` if nothing can be found out. Takes 40 us. `root` is for tests.
inline std::uint64_t available_memory(const std::string& root = "") {
    const auto kib = sum_of(root + "/proc/meminfo", {"MemAvailable:", "SwapFree:"});
    std::uint64_t least = kib ? *kib * 1024 : unknown_memory;
    for_each_line(root + "/proc/self/cgroup", [&](const char* line) {
        // "number:controllers:path"; version 2 has number 0 and no controllers
        const std::string_view text = line;
        const std::size_t first = text.find(':');
        const std::size_t second = text.find(':', first + 1);
        if (first == text.npos || second == text.npos) return;
        const std::string_view controllers = text.substr(first + 1, second - first - 1);
        const std::string path(text.substr(second + 1));
        if (path.empty() || path.front() != '/') return;
        if (controllers.empty())
            least = std::min(least, left_by_cgroups(root, memory_cgroup_v2, path));
        else if (("," + std::string(controllers) + ",").find(",memory,") != std::string::npos)
            least = std::min(least, left_by_cgroups(root, memory_cgroup_v1, path));
    });
    return least;
}

}  // namespace procpool::detail::posix

#endif
