// SPDX-License-Identifier: MIT
// The library procpool::mpi_engine.
#include "procpool/src_mpi.hpp"
