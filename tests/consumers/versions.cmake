# SPDX-License-Identifier: MIT
# Checks that what can't read version.hpp has its version.
# Usage: cmake -D SOURCE_DIR=... -D VERSION=... -P versions.cmake
function(check file found)
    if(NOT found STREQUAL VERSION)
        message(SEND_ERROR "${file} has the version '${found}', version.hpp has ${VERSION}")
    endif()
endfunction()

file(READ ${SOURCE_DIR}/packaging/vcpkg/procpool/vcpkg.json manifest)
string(JSON found GET "${manifest}" version)
check(packaging/vcpkg/procpool/vcpkg.json "${found}")

file(READ ${SOURCE_DIR}/meson.build meson)
string(REGEX MATCH "version: '([^']*)'" found "${meson}")
check(meson.build "${CMAKE_MATCH_1}")

file(READ ${SOURCE_DIR}/docs/install.md page)
string(REGEX MATCH "\nprocpool/([^\n]*)\n" found "${page}")
check(docs/install.md "${CMAKE_MATCH_1}")
string(REGEX MATCHALL "find_package\\(procpool [^ ]*" asked "${page}")
foreach(line IN LISTS asked)
    string(REPLACE "find_package(procpool " "" found "${line}")
    if(NOT VERSION MATCHES "^${found}\\.")
        message(SEND_ERROR "docs/install.md asks for version ${found}; it is ${VERSION}")
    endif()
endforeach()
