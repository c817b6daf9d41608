// SPDX-License-Identifier: MIT
// Pools whose workers are on many machines, over MPI: change mp::Pool to mp::mpi::Pool, and start the program
// with mpiexec or srun.
//
// Link procpool::mpi; with the engine compiled apart procpool::mpi_engine, or see src_mpi.hpp.
//
// Files without main that use pools include procpool/mpi/pool.hpp, which compiles in half the time.
#ifndef PROCPOOL_MPI_HPP
#define PROCPOOL_MPI_HPP

#include "procpool/mpi/pool.hpp"
#include "procpool/mpi/run.hpp"

#endif
