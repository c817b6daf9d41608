# SPDX-License-Identifier: MIT
"""The headers of Boost or cereal that are installed, as Conan's package of them, for tests without a network."""
import os

from conan import ConanFile


class InstalledHeaders(ConanFile):
    package_type = "header-library"
    options = {"header_only": [True, False]}
    default_options = {"header_only": True}

    def package(self):
        include = os.path.join(self.package_folder, "include")
        os.makedirs(include)
        os.symlink(f"/usr/include/{self.name}", os.path.join(include, self.name))

    def package_id(self):
        self.info.clear()

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        if self.name == "boost":
            self.cpp_info.set_property("cmake_file_name", "Boost")
            self.cpp_info.set_property("cmake_target_name", "Boost::headers")
