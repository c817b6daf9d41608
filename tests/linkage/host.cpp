// SPDX-License-Identifier: MIT
// A program that knows nothing of procpool, and runs what its extension has.
// Usage: host LIBRARY run WORKER_PROGRAM PLUGIN, or: host LIBRARY live ARGUMENT
#include <dlfcn.h>

#include <cstdio>
#include <cstring>

int of_the_host(int x) { return x; }

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    void* const library = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        std::fprintf(stderr, "%s\n", ::dlerror());
        return 2;
    }
    if (std::strcmp(argv[2], "live") == 0)
        reinterpret_cast<void (*)(int, char**)>(::dlsym(library, "live"))(2, argv + 2);
    using run = int (*)(const char*, const char*, const char*, int (*)(int));
    return reinterpret_cast<run>(::dlsym(library, "run"))(argv[0], argv[3], argv[4], &of_the_host);
}
