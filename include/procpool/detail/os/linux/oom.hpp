// SPDX-License-Identifier: MIT
// Whether the kernel has killed processes for want of memory.
#ifndef PROCPOOL_DETAIL_OS_LINUX_OOM_HPP
#define PROCPOOL_DETAIL_OS_LINUX_OOM_HPP

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cgroup.hpp"

namespace procpool::inline v0_1::detail::os {

/// Number of processes that the kernel has killed so far, in this process's control group if that is
/// counted, else on the machine. `root` is for tests.
template <class = only_if_used>
std::uint64_t oom_kills(const std::string& root = {}) {
    std::optional<std::uint64_t> kills;
    const auto count_kills = [&](const std::string& path) {
        if (kills) return;
        for_each_line(path, [&](const char* line) {
            unsigned long long count = 0;
            if (std::sscanf(line, "oom_kill %llu", &count) == 1) kills = count;
        });
    };
    for_each_cgroup(root, "", "/sys/fs/cgroup",
                    [&](const std::string& group) { count_kills(group + "/memory.events"); });
    for_each_cgroup(root, "memory", "/sys/fs/cgroup/memory",
                    [&](const std::string& group) { count_kills(group + "/memory.oom_control"); });
    count_kills(root + "/proc/vmstat");
    return kills.value_or(0);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
