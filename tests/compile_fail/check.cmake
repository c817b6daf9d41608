# SPDX-License-Identifier: MIT
# Passes if SOURCE does not compile and the compiler prints the text of its first line, `// expect: TEXT`.
# A second line `// only: GCC` leaves it to that compiler, `// headers: its own` is for what others' headers hide.
# Arguments: COMPILER, SOURCE, INCLUDE_DIRS, ALL_HEADERS.
file(READ ${SOURCE} text)
if(NOT text MATCHES "^// expect: ([^\n]+)\n")
    message(FATAL_ERROR "${SOURCE} must begin with '// expect: TEXT'")
endif()
set(expected "${CMAKE_MATCH_1}")

if(text MATCHES "\n// only: GCC\n")
    execute_process(COMMAND ${COMPILER} --version OUTPUT_VARIABLE version)
    if(version MATCHES "clang")
        return()
    endif()
endif()
set(include_all -include ${ALL_HEADERS})
if(text MATCHES "\n// headers: its own\n")
    set(include_all "")
endif()

list(TRANSFORM INCLUDE_DIRS PREPEND -I)
set(ENV{LC_ALL} C) # the compiler's words in English, whatever the user's language
execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only ${INCLUDE_DIRS} ${include_all} ${SOURCE}
                RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(status EQUAL 0)
    message(FATAL_ERROR "compiles, but should be refused with: ${expected}")
endif()
string(FIND "${output}" "${expected}" found)
if(found EQUAL -1)
    message("${output}")
    message(FATAL_ERROR "refused, but not with: ${expected}")
endif()
