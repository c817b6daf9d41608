// SPDX-License-Identifier: MIT
// What each of these programs does first: it takes the start method of its processes from its argument.
#ifndef PROCPOOL_EXAMPLES_FROM_PYTHON_START_METHOD_HPP
#define PROCPOOL_EXAMPLES_FROM_PYTHON_START_METHOD_HPP

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <procpool/freeze_support.hpp>
#include <procpool/start_method.hpp>

/// `PROGRAM [fork|forkserver|spawn]`; forkserver if nothing is said. It stands for Python's
/// `if __name__ == "__main__":` with freeze_support() and set_start_method().
inline void choose_start_method(int argc, char** argv) {
    using procpool::start_method;
    procpool::freeze_support(argc, argv);
    const std::string_view method = argc > 1 ? argv[1] : "forkserver";
    if (method == "fork")
        procpool::set_start_method(start_method::fork);
    else if (method == "forkserver")
        procpool::set_start_method(start_method::forkserver);
    else if (method == "spawn")
        procpool::set_start_method(start_method::spawn);
    else {
        std::fprintf(stderr, "usage: %s [fork|forkserver|spawn]\n", argv[0]);
        std::exit(2);
    }
}

#endif
