# SPDX-License-Identifier: MIT
# An overlay port: it installs the procpool that it lies in.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

set(VCPKG_BUILD_TYPE release) # nothing is compiled before a program links it
vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DPROCPOOL_BUILD_TESTS=OFF
        -DPROCPOOL_BUILD_EXAMPLES=OFF
        -DPROCPOOL_BUILD_BENCHMARKS=OFF
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/procpool)
vcpkg_replace_string("${CURRENT_PACKAGES_DIR}/share/pkgconfig/procpool-engine.pc" "/../cmake/procpool/" "/../procpool/")
vcpkg_fixup_pkgconfig()

file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
