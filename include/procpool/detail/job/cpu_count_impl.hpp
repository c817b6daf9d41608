// SPDX-License-Identifier: MIT
// The number of CPUs for this process.
#ifndef PROCPOOL_DETAIL_JOB_CPU_COUNT_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_CPU_COUNT_IMPL_HPP

#include "procpool/cpu_count.hpp"
#include "procpool/detail/os/cpu.hpp"

namespace procpool {

PROCPOOL_COMPILED_APART int cpu_count() {
    return detail::os::limit_to_cgroup_quota(detail::os::affinity_count());
}

}  // namespace procpool

#endif
