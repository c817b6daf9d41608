// SPDX-License-Identifier: MIT
// Programs whose fresh runs could come to the program's own work. They print "own work" for each time they do
// it. What calls freeze_support, or doesn't, is linked with it; it isn't asked if there are arguments.
#include <cstdio>
#include <cstdlib>

#include "procpool/pool.hpp"
#include "support/engine.hpp"

void call_freeze_support(int argc, char** argv);

int main(int argc, char** argv) {
    if (argc == 1) call_freeze_support(argc, argv);
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
