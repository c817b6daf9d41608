// SPDX-License-Identifier: MIT
// Each rank tells its host, and rank 0 prints a line for each. The argument is the number of hosts that there
// must be.
#include <mpi.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0;
    int size = 0;
    int length = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    constexpr int most = MPI_MAX_PROCESSOR_NAME;
    char name[most] = {};
    MPI_Get_processor_name(name, &length);
    std::vector<char> names(static_cast<std::size_t>(size) * most);
    MPI_Allgather(name, most, MPI_CHAR, names.data(), most, MPI_CHAR, MPI_COMM_WORLD);
    std::set<std::string> hosts;
    for (int i = 0; i < size; ++i) {
        const char* const host = names.data() + static_cast<std::ptrdiff_t>(i) * most;
        hosts.insert(host);
        if (rank == 0) std::printf("rank %d of %d is on %s\n", i, size, host);
    }
    // A rank of MPICH before 4.2, over TCP, waits for ever in MPI_Finalize if it looks at the network after
    // another one has closed its end; so none looks while all begin.
    MPI_Barrier(MPI_COMM_WORLD);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    MPI_Finalize();
    return argc > 1 && hosts.size() != std::stoul(argv[1]);
}
