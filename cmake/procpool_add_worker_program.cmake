# SPDX-License-Identifier: MIT
# Adds an executable for procpool::set_executable(); see docs/libraries.md.
function(procpool_add_worker_program name)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
    file(CONFIGURE OUTPUT ${source} @ONLY
         CONTENT "#include <procpool/worker_program.hpp>\n
int main(int argc, char** argv) { return procpool::worker_program(argc, argv); }\n")
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE procpool::procpool)
endfunction()
