# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/procpool)
set(pkgconfig_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)

install(TARGETS procpool EXPORT procpool FILE_SET HEADERS)
install(EXPORT procpool NAMESPACE procpool:: FILE procpoolTargets.cmake DESTINATION ${package_dir})

configure_package_config_file(cmake/procpoolConfig.cmake.in procpoolConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(procpoolConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/procpoolConfig.cmake ${PROJECT_BINARY_DIR}/procpoolConfigVersion.cmake
              cmake/procpool_add_worker_program.cmake cmake/procpool_engine.cmake cmake/procpool_mpi.cmake src/procpool.cpp src/procpool_mpi.cpp
        DESTINATION ${package_dir})

# Relative to the .pc file, so that `cmake --install --prefix` and moved trees stay right.
file(RELATIVE_PATH pc_includedir "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
configure_file(cmake/procpool.pc.in procpool.pc @ONLY)
configure_file(cmake/procpool-engine.pc.in procpool-engine.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/procpool.pc ${PROJECT_BINARY_DIR}/procpool-engine.pc DESTINATION ${pkgconfig_dir})
