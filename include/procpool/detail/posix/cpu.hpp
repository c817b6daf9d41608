// SPDX-License-Identifier: MIT
// How many processors this process may use, and how many threads it has.
#ifndef PROCPOOL_DETAIL_POSIX_CPU_HPP
#define PROCPOOL_DETAIL_POSIX_CPU_HPP

#include <dirent.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace procpool::detail::posix {

using c_file = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
inline c_file open_for_reading(const std::string& path) { return {std::fopen(path.c_str(), "re"), &std::fclose}; }

/// Processors in this process's affinity mask.
inline int affinity_count() {
    // The kernel refuses masks that are smaller than its own.
    for (std::size_t bits = 1024; bits <= 1 << 20; bits *= 2) {
        const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(bits), [](cpu_set_t* s) { CPU_FREE(s); });
        const std::size_t size = CPU_ALLOC_SIZE(bits);
        if (set && ::sched_getaffinity(0, size, set.get()) == 0) return CPU_COUNT_S(size, set.get());
        if (errno != EINVAL) break;
    }
    return static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

/// Path of this process in the cgroup hierarchy of `controller` ("" is version 2's).
inline std::string cgroup_path(const std::string& controller) {
    const c_file file = open_for_reading("/proc/self/cgroup");
    char line[4096];
    while (file && std::fgets(line, sizeof line, file.get())) {
        std::string text(line);
        if (!text.empty() && text.back() == '\n') text.pop_back();
        const auto first = text.find(':');
        const auto second = text.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = "," + text.substr(first + 1, second - first - 1) + ",";
        if (controllers.find("," + controller + ",") != std::string::npos) return text.substr(second + 1);
    }
    return {};
}

/// The first numbers of a file; "max" counts as -1.
inline std::vector<double> read_numbers(const std::string& path) {
    std::vector<double> numbers;
    const c_file file = open_for_reading(path);
    char word[64];
    while (file && std::fscanf(file.get(), "%63s", word) == 1) {
        double number = -1;
        if (std::string(word) != "max" && std::sscanf(word, "%lf", &number) != 1) break;
        numbers.push_back(number);
    }
    return numbers;
}

/// Processors that the cgroups of this process grant, version 2's cpu.max and version 1's quota.
inline std::optional<double> cgroup_cpu_quota() {
    std::optional<double> least;
    const auto consider = [&](double quota, double period) {
        if (quota > 0 && period > 0) least = std::min(least.value_or(quota / period), quota / period);
    };
    // A limit may be set at any level above; inside a container only the root of what it sees is there.
    const auto each_level = [](std::string path, auto visit) {
        for (;; path.resize(path.rfind('/'))) {
            if (path == "/") path.clear();
            visit(path);
            if (path.empty() || path.rfind('/') == std::string::npos) return;
        }
    };
    each_level(cgroup_path(""), [&](const std::string& path) {
        const auto limit = read_numbers("/sys/fs/cgroup" + path + "/cpu.max");
        if (limit.size() == 2) consider(limit[0], limit[1]);
    });
    each_level(cgroup_path("cpu"), [&](const std::string& path) {
        const auto quota = read_numbers("/sys/fs/cgroup/cpu" + path + "/cpu.cfs_quota_us");
        const auto period = read_numbers("/sys/fs/cgroup/cpu" + path + "/cpu.cfs_period_us");
        if (!quota.empty() && !period.empty()) consider(quota[0], period[0]);
    });
    return least;
}

/// Threads of this process, as the kernel lists them; 0 if /proc can't be read.
inline int thread_count() {
    const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir("/proc/self/task"), &::closedir);
    int count = 0;
    while (const dirent* entry = tasks ? ::readdir(tasks.get()) : nullptr)
        if (entry->d_name[0] != '.') ++count;
    return count;
}

}  // namespace procpool::detail::posix

#endif
