// SPDX-License-Identifier: MIT
// What a launcher of MPI tells a process of the program, and a worker of that process must not believe.
#ifndef PROCPOOL_DETAIL_WORKER_LAUNCHER_VARIABLES_HPP
#define PROCPOOL_DETAIL_WORKER_LAUNCHER_VARIABLES_HPP

#include <array>
#include <string_view>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/environment.hpp"

namespace procpool::inline v0_1::detail::worker {

/// By these variables MPI would take a worker for the rank that has started it: Open MPI ends the worker
/// then, and MPICH writes to a descriptor whose number is another file's there. SLURM's stay, since tasks may
/// ask for their job; but by SLURM_STEPID, which SLURM_STEP_ID repeats, Open MPI believes that srun has
/// started it.
template <class = only_if_used>
void remove_launcher_variables() noexcept {
    using namespace std::string_view_literals;
    static constexpr std::array prefixes{"OMPI_"sv,        "ORTE_"sv,        "PRTE_"sv,     "PMI_"sv,
                                         "PMI2_"sv,        "PMIX_"sv,        "MPI_LOCAL"sv, "HYDI_"sv,
                                         "SLURM_STEPID"sv, "SLURM_STEP_ID"sv};
    os::remove_variables(prefixes);
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
