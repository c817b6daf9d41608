# SPDX-License-Identifier: MIT
# `cpack -G DEB` in the build folder: the Debian package libprocpool-dev. `./dev package` builds and checks it.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libprocpool-dev)
set(CPACK_PACKAGE_VENDOR procpool)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "process pool for C++20 in the manner of Python's multiprocessing.Pool")
set(CPACK_PACKAGE_DESCRIPTION
    "procpool is Python's multiprocessing.Pool for C++20: functions and lambdas run
in worker processes, and a worker that crashes costs one element. It is a
library of headers; what is behind them can be compiled once as an engine.")

# Headers and CMake files are the same on each machine.
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
# Less than 1, which is for a package of Debian itself.
set(CPACK_DEBIAN_PACKAGE_RELEASE 0procpool1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libboost-dev (>= 1.74) | libboost1.81-dev, libcereal-dev")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "g++ (>= 4:12) | clang (>= 1:14)")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake (>= 3.24), pkg-config")
# Git keeps the rights of the one who checked out.
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)

# The variables by which Debian's own tools know who builds a package.
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "procpool contributors <procpool@example.org>")
if(DEFINED ENV{DEBFULLNAME} AND DEFINED ENV{DEBEMAIL})
    set(CPACK_DEBIAN_PACKAGE_MAINTAINER "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()

set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/package_documents.cmake)
set(CPACK_PROCPOOL_SOURCE_DIR ${PROJECT_SOURCE_DIR})
include(CPack)
