// SPDX-License-Identifier: MIT
// On which processors processes may run, and who has started them.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_AFFINITY_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_AFFINITY_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cpu_mask.hpp"
#include "procpool/detail/os/process.hpp"

namespace procpool::inline v0_1::detail::os {

/// Where a process may run; 0 is this one. Empty if nobody knows.
template <class = only_if_used>
cpu_mask affinity_of(std::int64_t pid) {
    const fd other = pid == 0 ? fd() : open_process(static_cast<long>(pid), api::process_query);
    if (pid != 0 && !other) return {};
    unsigned long long own = 0, all = 0;
    if (!::GetProcessAffinityMask(pid == 0 ? ::GetCurrentProcess() : other.get(), &own, &all)) return {};
    return cpu_mask(std::vector<std::uint64_t>{own});
}

/// Where this process may run. False if the system refuses.
template <class = only_if_used>
bool set_affinity(const cpu_mask& mask) {
    return mask.words().size() == 1 && ::SetProcessAffinityMask(::GetCurrentProcess(), mask.words().front());
}

struct process_origin {
    std::string name;
    std::int64_t parent = 0;
};
/// Nobody needs it here: MPI's launchers are looked for on Linux alone.
template <class = only_if_used>
process_origin origin_of(std::int64_t /*pid*/) {
    return {};
}

}  // namespace procpool::inline v0_1::detail::os

#endif
