// SPDX-License-Identifier: MIT
// The door to programs over MPI: their life from MPI's start to its end, on each rank.
#ifndef PROCPOOL_DETAIL_MPI_RUN_PROGRAM_HPP
#define PROCPOOL_DETAIL_MPI_RUN_PROGRAM_HPP

#include <functional>

#include "procpool/detail/mpi/mpi_header.hpp"
#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// Starts MPI and ends it. @return what `body` returns on rank 0; on other ranks 0; after a wrong start,
/// which is told on standard error, EXIT_FAILURE
template <class = only_if_used>
int run_program(int argc, char** argv, const std::function<int()>& body);

/// The same where the program has started MPI, and ends it; but if it can't, since ranks are lost, that ends
/// here. @throws Error after a wrong start
template <class = only_if_used>
int run_within(MPI_Comm comm, const std::function<int()>& body);

}  // namespace procpool::inline v0_1::detail::mpi

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/mpi/run_program_impl.hpp"
#endif

#endif
