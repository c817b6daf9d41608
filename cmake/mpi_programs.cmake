# SPDX-License-Identifier: MIT
# Programs that are built once for each MPI, of which Debian can have several, while CMake finds one.

# mpi_openmpi and mpi_mpich, by what the compiler of that MPI would do; sets `mpis` to those that are there.
macro(find_mpis)
    set(mpis "")
    foreach(mpi openmpi mpich)
        find_program(PROCPOOL_MPICC_${mpi} mpicc.${mpi})
        if(NOT PROCPOOL_MPICC_${mpi})
            continue()
        endif()
        list(APPEND mpis ${mpi})
        if(TARGET mpi_${mpi})
            continue()
        endif()
        execute_process(COMMAND ${PROCPOOL_MPICC_${mpi}} -show OUTPUT_VARIABLE mpi_words COMMAND_ERROR_IS_FATAL ANY
                        OUTPUT_STRIP_TRAILING_WHITESPACE)
        separate_arguments(mpi_words)
        list(POP_FRONT mpi_words)
        set(mpi_folders ${mpi_words})
        list(FILTER mpi_folders INCLUDE REGEX "^-I")
        list(TRANSFORM mpi_folders REPLACE "^-I" "")
        list(FILTER mpi_words EXCLUDE REGEX "^-I")
        add_library(mpi_${mpi} INTERFACE)
        target_include_directories(mpi_${mpi} SYSTEM INTERFACE ${mpi_folders})
        target_link_libraries(mpi_${mpi} INTERFACE ${mpi_words})
        target_compile_definitions(mpi_${mpi} INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
    endforeach()
endmacro()

# add_mpi_program(NAME SOURCE... [LIBRARIES LIBRARY...]): NAME.openmpi and NAME.mpich, of the target mpi_programs.
function(add_mpi_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" LIBRARIES)
    foreach(mpi IN LISTS mpis)
        add_executable(${name}.${mpi} ${arg_UNPARSED_ARGUMENTS})
        target_link_libraries(${name}.${mpi} PRIVATE mpi_${mpi} ${arg_LIBRARIES})
        add_dependencies(mpi_programs ${name}.${mpi})
    endforeach()
endfunction()

if(NOT TARGET mpi_programs)
    add_custom_target(mpi_programs)
endif()
