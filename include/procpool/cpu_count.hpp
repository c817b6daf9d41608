// SPDX-License-Identifier: MIT
// cpu_count(): how many workers keep this process's share of the machine busy.
#ifndef PROCPOOL_CPU_COUNT_HPP
#define PROCPOOL_CPU_COUNT_HPP

#include "procpool/detail/only_if_used.hpp"

namespace procpool {

/// Processors that this process may use: those of its affinity mask, or fewer where a cgroup (a container)
/// sets a quota, rounded up; at least 1.
PROCPOOL_COMPILED_APART int cpu_count();

}  // namespace procpool

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/cpu_count_impl.hpp"
#endif

#endif
