# SPDX-License-Identifier: MIT
# procpool::mpi, with the MPI that the program's project has found. What links it where there is none fails, with the
# reason in the name of what CMake misses.
function(procpool_add_mpi)
    add_library(procpool_mpi INTERFACE)
    add_library(procpool::mpi ALIAS procpool_mpi)
    set(no_mpi "procpool::mpi needs find_package(MPI REQUIRED COMPONENTS C) before procpool is found or added")
    target_link_libraries(procpool_mpi INTERFACE procpool::procpool
                          "$<IF:$<TARGET_EXISTS:MPI::MPI_C>,MPI::MPI_C,${no_mpi}>")
    # The C++ names of MPI 2 have thousands of lines, and need a library of their own.
    target_compile_definitions(procpool_mpi INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
endfunction()

# procpool::mpi_engine: what procpool::engine is, for pools over MPI. Only where MPI has been found.
function(procpool_add_mpi_engine source)
    add_library(procpool_mpi_engine STATIC EXCLUDE_FROM_ALL ${source})
    add_library(procpool::mpi_engine ALIAS procpool_mpi_engine)
    target_link_libraries(procpool_mpi_engine PUBLIC procpool::engine procpool::mpi)
    set_target_properties(procpool_mpi_engine PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()
