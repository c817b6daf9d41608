# SPDX-License-Identifier: MIT
# procpool::engine, compiled where it is used: with the compiler, the flags and the sanitizers of the program.
function(procpool_add_engine source)
    add_library(procpool_engine STATIC EXCLUDE_FROM_ALL ${source})
    add_library(procpool::engine ALIAS procpool_engine)
    target_link_libraries(procpool_engine PUBLIC procpool::procpool)
    target_compile_definitions(procpool_engine PUBLIC PROCPOOL_SEPARATE_COMPILATION)
    set_target_properties(procpool_engine PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()
