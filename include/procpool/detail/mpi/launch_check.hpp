// SPDX-License-Identifier: MIT
// Whether a program was started by the launcher of another MPI, which runs it many times, each alone.
#ifndef PROCPOOL_DETAIL_MPI_LAUNCH_CHECK_HPP
#define PROCPOOL_DETAIL_MPI_LAUNCH_CHECK_HPP

#include <cstdlib>
#include <string>
#include <string_view>

#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// An implementation of MPI, and what starts its programs.
struct implementation {
    std::string name;
    std::string size_variable;  // where its launcher tells how many ranks there are
    std::string mpiexec;
    std::string srun;
};

/// By what MPI_Get_library_version tells.
template <class = only_if_used>
implementation implementation_of(std::string_view library) {
    const std::string_view first_words = library.substr(0, library.find_first_of(",\t\n"));
    if (library.starts_with("Open MPI"))
        return {"Open MPI", "OMPI_COMM_WORLD_SIZE", "Open MPI's mpiexec (mpiexec.openmpi in Debian)",
                "srun --mpi=pmix"};
    if (library.starts_with("MPICH"))
        return {"MPICH", "PMI_SIZE", "MPICH's mpiexec (mpiexec.mpich in Debian)", "srun --mpi=pmi2"};
    return {std::string(first_words), "PMI_SIZE", "the mpiexec that belongs to it",
            "the srun --mpi=... that its documentation names (srun --mpi=list has all)"};
}

/// What is wrong where MPI sees `size` ranks: a sentence, or nothing if all is well. `variable` looks up an
/// environment variable, as std::getenv does.
template <class = only_if_used, class Lookup>
std::string wrong_launcher(int size, std::string_view library, const Lookup& variable) {
    if (size != 1) return {};
    const auto number = [&](const char* name) -> long {
        const char* const text = variable(name);
        return text ? std::strtol(text, nullptr, 10) : 0;
    };
    const implementation linked = implementation_of(library);
    if (number(linked.size_variable.c_str()) == 1) return {};  // one rank was wanted

    const auto sentence = [&](const char* launcher, long count, const std::string& instead) {
        return "procpool: " + std::string(launcher) + " has started this program " + std::to_string(count) +
               " times, and each sees itself alone: the program is linked with " + linked.name +
               ", so start it with " + instead;
    };
    // The innermost launcher counts: inside a job of Slurm mpiexec starts its own processes by srun.
    if (const long count = number("OMPI_COMM_WORLD_SIZE"); count > 0)
        return count > 1 ? sentence("Open MPI's mpiexec", count, linked.mpiexec) : std::string();
    // Slurm sets PMI_SIZE, too.
    if (const long count = variable("HYDI_CONTROL_FD") ? number("PMI_SIZE") : 0; count > 0)
        return count > 1 ? sentence("MPICH's mpiexec", count, linked.mpiexec) : std::string();
    if (const long count = number("SLURM_STEP_NUM_TASKS"); count > 1)
        return sentence("srun", count, linked.srun);
    if (const long count = number("PMI_SIZE"); count > 1)
        return sentence("a launcher of another MPI", count, linked.mpiexec);
    return {};
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
