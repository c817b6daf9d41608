// SPDX-License-Identifier: MIT
// On which processors processes may run, and who has started them.
#ifndef PROCPOOL_DETAIL_OS_LINUX_AFFINITY_HPP
#define PROCPOOL_DETAIL_OS_LINUX_AFFINITY_HPP

#include <sched.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cgroup.hpp"
#include "procpool/detail/os/cpu_mask.hpp"

namespace procpool::inline v0_1::detail::os {

static_assert(sizeof(__cpu_mask) == sizeof(std::uint64_t));

/// Where a process may run; 0 is the calling thread. Empty if nobody knows.
template <class = only_if_used>
cpu_mask affinity_of(std::int64_t pid) {
    // The kernel refuses masks that are smaller than its own.
    for (std::size_t bits = 1024; bits <= 1 << 20; bits *= 2) {
        std::vector<std::uint64_t> words(bits / 64);
        auto* const set = reinterpret_cast<cpu_set_t*>(words.data());
        if (::sched_getaffinity(static_cast<pid_t>(pid), bits / 8, set) == 0)
            return cpu_mask(std::move(words));
        if (errno != EINVAL) break;
    }
    return {};
}

/// Where the calling thread, and what it starts from now on, may run. False if the system refuses.
template <class = only_if_used>
bool set_affinity(const cpu_mask& mask) {
    const auto words = mask.words();
    const auto* const set = reinterpret_cast<const cpu_set_t*>(words.data());
    return !words.empty() && ::sched_setaffinity(0, words.size_bytes(), set) == 0;
}

struct process_origin {
    std::string name;  // of the program, as the kernel has it: 15 letters at most
    std::int64_t parent = 0;
};

/// What a process is, and whose child; empty if it has ended.
template <class = only_if_used>
process_origin origin_of(std::int64_t pid) {
    process_origin origin;
    for_each_line("/proc/" + std::to_string(pid) + "/stat", [&](const char* line) {
        // "PID (NAME) STATE PARENT ..."; a name may have any letters
        const char* const begin = std::strchr(line, '(');
        const char* const end = std::strrchr(line, ')');
        if (!begin || !end) return;
        origin.name.assign(begin + 1, end);
        long parent = 0;
        if (std::sscanf(end + 1, " %*c %ld", &parent) == 1) origin.parent = parent;
    });
    return origin;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
