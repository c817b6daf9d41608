// SPDX-License-Identifier: MIT
// How many processors this process may use.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_CPU_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_CPU_HPP

#include <algorithm>
#include <bit>
#include <string>

#include "procpool/detail/os/windows/api.hpp"

namespace procpool::inline v0_1::detail::os {

/// Processors in this process's affinity mask.
inline int affinity_count() {
    unsigned long long own = 0, all = 0;
    if (::GetProcessAffinityMask(::GetCurrentProcess(), &own, &all) && own != 0) return std::popcount(own);
    // It runs in several groups of processors, which has no mask.
    constexpr unsigned short all_groups = 0xFFFF;
    return static_cast<int>(std::max(1UL, ::GetActiveProcessorCount(all_groups)));
}

/// There are no quotas of groups here.
inline int limit_to_cgroup_quota(int processors, const std::string& /*root*/ = "") {
    return std::max(1, processors);
}

/// Nobody forks beside threads.
inline int thread_count() { return 1; }

}  // namespace procpool::inline v0_1::detail::os

#endif
