// SPDX-License-Identifier: MIT
// Pools over MPI, compiled apart: the target procpool::mpi_engine.
#include "procpool/src_mpi.hpp"
