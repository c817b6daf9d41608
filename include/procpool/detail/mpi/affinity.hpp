// SPDX-License-Identifier: MIT
// Which processors a node's workers may use: more than those that a launcher of MPI gave to a rank.
#ifndef PROCPOOL_DETAIL_MPI_AFFINITY_HPP
#define PROCPOOL_DETAIL_MPI_AFFINITY_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/affinity.hpp"
#include "procpool/detail/os/cpu_mask.hpp"
#include "procpool/detail/os/process.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// Whether a process of this name starts ranks of MPI, each bound to a part of its own processors: Open MPI
/// gives a node's only rank one core, since it takes a rank for one thread. Slurm's `slurmstepd` is none of
/// these: what it gives is what the job has got.
inline bool binds_ranks(std::string_view name) noexcept {
    for (const std::string_view launcher :
         {"orted", "orterun", "prted", "prte", "prterun", "hydra_pmi_proxy"})
        if (name == launcher) return true;
    return name.starts_with("mpiexec") || name.starts_with("mpirun");  // "mpiexec.openmpi"
}

struct ancestor {
    std::string name;
    os::cpu_mask mask;
};

/// A rank's processors: those of the launcher that has bound it, if the rank's ancestors, its parent first,
/// lead to one. What stands between, a shell for instance, must have the rank's own mask: else somebody else
/// has chosen it.
template <class = only_if_used>
os::cpu_mask unbound(const os::cpu_mask& own, std::span<const ancestor> ancestors) {
    for (const ancestor& above : ancestors) {
        if (binds_ranks(above.name)) {
            os::cpu_mask all = own;
            return all |= above.mask;
        }
        if (above.name == "slurmstepd" || above.mask != own) break;
    }
    return own;
}

/// The same for this process. Its mask stays as it is.
template <class = only_if_used>
os::cpu_mask processors_of_rank() {
    constexpr std::size_t most_wrappers = 8;
    std::vector<ancestor> ancestors;
    std::int64_t pid = os::parent_pid();
    while (pid > 1 && ancestors.size() < most_wrappers) {
        os::process_origin origin = os::origin_of(pid);
        ancestors.push_back({std::move(origin.name), os::affinity_of(pid)});
        pid = origin.parent;
    }
    return unbound(os::affinity_of(0), ancestors);
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
