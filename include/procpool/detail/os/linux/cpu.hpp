// SPDX-License-Identifier: MIT
// How many processors this process may use, and how many threads it has.
#ifndef PROCPOOL_DETAIL_OS_LINUX_CPU_HPP
#define PROCPOOL_DETAIL_OS_LINUX_CPU_HPP

#include <dirent.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>

#include "procpool/detail/os/cgroup.hpp"

namespace procpool::inline v0_1::detail::os {

/// Processors in this process's affinity mask.
inline int affinity_count() {
    // The kernel refuses masks that are smaller than its own.
    for (std::size_t bits = 1024; bits <= 1 << 20; bits *= 2) {
        cpu_set_t* const set = CPU_ALLOC(bits);
        if (!set) break;
        const std::size_t size = CPU_ALLOC_SIZE(bits);
        const bool known = ::sched_getaffinity(0, size, set) == 0;
        const bool too_small = !known && errno == EINVAL;
        const int count = known ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (known) return count;
        if (!too_small) break;
    }
    return static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

/// As std::ceil, whose header takes as long to compile as all of this.
inline int rounded_up(double number) noexcept {
    const int down = static_cast<int>(std::min(number, 1e9));
    return down + (down < number ? 1 : 0);
}

/// At most `processors`, and no more than the cgroups of this process grant (cpu.max of version 2, the quota
/// of version 1), rounded up. `root` is for tests.
inline int limit_to_cgroup_quota(int processors, const std::string& root = "") {
    const auto consider = [&](double quota, double period) {
        if (quota > 0 && period > 0) processors = std::min(processors, rounded_up(quota / period));
    };
    for_each_cgroup(root, "", "/sys/fs/cgroup", [&](const std::string& group) {
        for_each_line(group + "/cpu.max", [&](const char* line) {
            double quota = 0;
            double period = 0;
            if (std::sscanf(line, "%lf %lf", &quota, &period) == 2) consider(quota, period);  // not for "max"
        });
    });
    for_each_cgroup(root, "cpu", "/sys/fs/cgroup/cpu", [&](const std::string& group) {
        double quota = 0;
        double period = 0;
        for_each_line(group + "/cpu.cfs_quota_us",
                      [&](const char* line) { std::sscanf(line, "%lf", &quota); });
        for_each_line(group + "/cpu.cfs_period_us",
                      [&](const char* line) { std::sscanf(line, "%lf", &period); });
        consider(quota, period);
    });
    return std::max(1, processors);
}

/// Threads of this process, as the kernel lists them; 0 if /proc can't be read.
inline int thread_count() {
    DIR* const tasks = ::opendir("/proc/self/task");
    if (!tasks) return 0;
    int count = 0;
    while (const dirent* const entry = ::readdir(tasks))
        if (entry->d_name[0] != '.') ++count;
    ::closedir(tasks);
    return count;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
