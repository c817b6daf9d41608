// SPDX-License-Identifier: MIT
// cpu_count(): how many workers keep this process's share of the machine busy.
#ifndef PROCPOOL_CPU_COUNT_HPP
#define PROCPOOL_CPU_COUNT_HPP

#include "procpool/detail/os/this_process.hpp"

namespace procpool::inline v0_1 {

/// Processors that this process may use: those of its affinity mask, or fewer where a cgroup (a container)
/// sets a quota, rounded up; at least 1.
inline int cpu_count() { return detail::os::usable_cpus(); }

}  // namespace procpool::inline v0_1

#endif
