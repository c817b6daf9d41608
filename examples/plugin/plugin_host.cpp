// SPDX-License-Identifier: MIT
// A task from a plugin: workers load the plugin themselves when the first task of it comes.
// Usage: plugin_host [PLUGIN]
#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <vector>

#include <procpool/freeze_support.hpp>
#include <procpool/pool.hpp>

namespace mp = procpool;

// [main]
using filter = std::vector<double> (*)(const std::vector<double>&);

int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);
    mp::Pool pool(2);  // started before the plugin is there

    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const std::string file = argc > 1 ? argv[1] : (here / "libplugin_scale.so").string();
    void* const plugin = ::dlopen(file.c_str(), RTLD_NOW);
    if (!plugin) {
        std::cerr << "plugin_host: " << ::dlerror() << "\n";
        return EXIT_FAILURE;
    }
    const filter scale = reinterpret_cast<filter (*)()>(::dlsym(plugin, "plugin_filter"))();

    const std::vector<std::vector<double>> rows{{1, 2}, {3, 4}, {5, 6}};
    for (const std::vector<double>& row : pool.map(scale, rows)) std::cout << row[0] << " " << row[1] << "\n";
}
// [/main]
