// SPDX-License-Identifier: MIT
// <mpi.h> without the C++ interface that MPI once had.
#ifndef PROCPOOL_DETAIL_MPI_MPI_HEADER_HPP
#define PROCPOOL_DETAIL_MPI_MPI_HEADER_HPP

#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#endif
