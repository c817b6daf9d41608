// SPDX-License-Identifier: MIT
// cpu_count(): how many workers keep this process's share of the machine busy.
#ifndef PROCPOOL_CPU_COUNT_HPP
#define PROCPOOL_CPU_COUNT_HPP

#include <algorithm>
#include <cmath>

#include "procpool/detail/posix/cpu.hpp"

namespace procpool {

/// Processors that this process may use: those of its affinity mask, or fewer where a cgroup (a container)
/// sets a quota, rounded up; at least 1.
inline int cpu_count() {
    int count = detail::posix::affinity_count();
    if (const auto quota = detail::posix::cgroup_cpu_quota())
        count = std::min(count, static_cast<int>(std::ceil(*quota)));
    return std::max(1, count);
}

}  // namespace procpool

#endif
