// SPDX-License-Identifier: MIT
// Programs that lose nodes, or end in odd ways; loss.sh runs them, and does to their processes what they must
// bear.
//   loss MODE FOLDER [NODE_TIMEOUT, 2 seconds]
// Rank 0 makes files in FOLDER when it may be disturbed, and prints what loss.sh looks for. With OWN_MPI in
// its environment the program starts MPI and ends it itself.
#include "loss.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "procpool/freeze_support.hpp"
#include "procpool/mpi.hpp"

namespace loss {

int run_mode(int count, char** arguments) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    mode_map modes;
    add_lost_nodes(modes);
    add_ends_of_main(modes);
    add_tasks(modes);
    add_calls(modes);
    if (count < 3 || !modes.contains(arguments[1])) fail("usage: loss MODE FOLDER [NODE_TIMEOUT]");
    folder = arguments[2];
    tell("began");
    if (count > 3) node_timeout = std::chrono::seconds(std::stol(arguments[3]));
    return modes.at(arguments[1])();
}

}  // namespace loss

int main(int argc, char** argv) {
    if (!std::getenv("OWN_MPI")) return procpool::mpi::run(argc, argv, loss::run_mode);
    procpool::freeze_support(argc, argv);
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &level);
    const int code = procpool::mpi::run(MPI_COMM_WORLD, [&] { return loss::run_mode(argc, argv); });
    MPI_Finalize();
    return code;
}
