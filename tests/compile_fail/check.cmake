# SPDX-License-Identifier: MIT
# Passes if SOURCE does not compile and the compiler prints the text of its first line, `// expect: TEXT`.
# Arguments: COMPILER, SOURCE, INCLUDE_DIRS, ALL_HEADERS.
file(READ ${SOURCE} text)
if(NOT text MATCHES "^// expect: ([^\n]+)\n")
    message(FATAL_ERROR "${SOURCE} must begin with '// expect: TEXT'")
endif()
set(expected "${CMAKE_MATCH_1}")

list(TRANSFORM INCLUDE_DIRS PREPEND -I)
set(ENV{LC_ALL} C) # the compiler's words in English, whatever the user's language
execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only ${INCLUDE_DIRS} -include ${ALL_HEADERS} ${SOURCE}
                RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(status EQUAL 0)
    message(FATAL_ERROR "compiles, but should be refused with: ${expected}")
endif()
string(FIND "${output}" "${expected}" found)
if(found EQUAL -1)
    message("${output}")
    message(FATAL_ERROR "refused, but not with: ${expected}")
endif()
