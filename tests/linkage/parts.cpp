// SPDX-License-Identifier: MIT
// A program of parts: what is linked of `left` and `right`, and plugins.
// Usage: parts EXECUTABLE_OF_WORKERS NUMBER_OF_PARTS [PLUGIN NAME]...
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "procpool/freeze_support.hpp"
#include "procpool/pool.hpp"

using part = int(procpool::Pool*, const char*);
extern "C" {
[[gnu::weak]] part left;
[[gnu::weak]] part right;
}

int main(int argc, char** argv) {
    procpool::freeze_support(argc, argv);
    if (argc < 3) return 2;
    const char* const executable = *argv[1] != '\0' ? argv[1] : nullptr;
    procpool::Pool pool({.processes = 2});
    int problems = 0;
    int parts = 0;
    const auto use = [&](part* one) {
        if (!one) return;
        problems += one(&pool, executable);
        ++parts;
    };
    use(left);
    use(right);
    for (int i = 3; i + 1 < argc; i += 2) {
        void* const plugin = ::dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        if (!plugin) {
            std::fprintf(stderr, "%s\n", ::dlerror());
            return 2;
        }
        use(reinterpret_cast<part*>(::dlsym(plugin, argv[i + 1])));
    }
    if (pool.apply([](int x) { return x + 1; }, 41) != 42) ++problems;
    return problems == 0 && parts == std::atoi(argv[2]) ? 0 : 1;
}
