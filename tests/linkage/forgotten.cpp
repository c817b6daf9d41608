// SPDX-License-Identifier: MIT
// Programs whose fresh runs could come to the program's own work. They print "own work" for each time they do
// it. LIBRARY: freeze_support is called in a shared library, by
//   void call_freeze_support(int argc, char** argv)
// NEVER: it isn't called at all. Otherwise it is called, unless there are arguments.
#include <cstdio>
#include <cstdlib>

#include "procpool/pool.hpp"
#include "support/engine.hpp"

#ifdef LIBRARY
void call_freeze_support(int argc, char** argv);
#elif !defined(NEVER)
#include "procpool/freeze_support.hpp"
inline void call_freeze_support(int argc, char** argv) { procpool::freeze_support(argc, argv); }
#endif

int main(int argc, char** argv) {
#ifdef NEVER
    static_cast<void>(argv);
#else
    if (argc == 1) call_freeze_support(argc, argv);
#endif
    std::puts("own work");
    std::fflush(stdout);
    try {
        procpool::Pool pool({.processes = 2, .start_method = procpool::start_method::forkserver});
        std::printf("%d\n", pool.apply([](int x) { return x + 1; }, 41));
    } catch (const procpool::BootstrapError& error) {
        std::printf("%s\n", error.what());
    }
    return argc;
}
