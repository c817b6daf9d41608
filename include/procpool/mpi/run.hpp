// SPDX-License-Identifier: MIT
// The life of a program over MPI. For the file with main: it includes freeze_support.hpp.
#ifndef PROCPOOL_MPI_RUN_HPP
#define PROCPOOL_MPI_RUN_HPP

#include "procpool/detail/mpi/run_program.hpp"
#include "procpool/freeze_support.hpp"

namespace procpool::inline v0_1::mpi {

/// Starts MPI and calls `main_function(argc, argv)` on rank 0, while all other ranks host workers; ends MPI
/// when it returns. To be called first in main, on all ranks.
///
/// @return what `main_function` returns; 0 on the other ranks. If the program was started wrongly, by the
/// launcher of another MPI or as different builds, a sentence on standard error says so, and it returns
/// EXIT_FAILURE.
/// @throws what it throws, after all ranks have ended MPI
template <class F>
int run(int argc, char** argv, F&& main_function) {
    freeze_support(argc, argv);
    return detail::mpi::run_program(argc, argv, [&] { return main_function(argc, argv); });
}

/// The same for a program that has started MPI itself, and ends it: collective over `comm`. Its main calls
/// freeze_support(argc, argv) first. If a node was lost, MPI can't be ended any more, so the program ends in
/// here.
template <class F>
int run(MPI_Comm comm, F&& main_function) {
    return detail::mpi::run_within(comm, [&] { return main_function(); });
}

}  // namespace procpool::inline v0_1::mpi

#endif
