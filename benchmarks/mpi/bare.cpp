// SPDX-License-Identifier: MIT
// The measures of MPI itself, between two ranks: rank 1 answers what rank 0 sends. There are no workers and
// no pool, and both spin while they wait, but in the measure `bell`. Usage: bare all|bound
#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <poll.h>

#include "measure.hpp"
#include "procpool/detail/mpi/bell.hpp"
#include "procpool/detail/mpi/finalize.hpp"

namespace {

enum tag : int { numbers, bytes, swallow, stop };

/// Cubes numbers and returns all else as it is, until it is told to stop.
void answer() {
    std::vector<long> message;
    for (;;) {
        MPI_Status status;
        int size = 0;
        MPI_Probe(0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        MPI_Get_count(&status, MPI_LONG, &size);
        message.resize(static_cast<std::size_t>(size));
        MPI_Recv(message.data(), size, MPI_LONG, 0, status.MPI_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (status.MPI_TAG == stop) return;
        if (status.MPI_TAG == numbers)
            for (long& x : message) x = x * x * x;
        if (status.MPI_TAG == swallow) size = 1;
        MPI_Send(message.data(), size, MPI_LONG, 0, status.MPI_TAG, MPI_COMM_WORLD);
    }
}

/// Sends `messages` of `size` numbers, each up to four ahead of the answer that is waited for.
void ask(int messages, std::size_t size, int what) {
    constexpr int ahead = 4;
    std::array<std::vector<long>, ahead> out;
    std::array<std::vector<long>, ahead> in;
    std::array<MPI_Request, ahead> sending;
    std::array<MPI_Request, ahead> receiving;
    out.fill(std::vector<long>(size, 3));
    in.fill(std::vector<long>(size));
    sending.fill(MPI_REQUEST_NULL);
    receiving.fill(MPI_REQUEST_NULL);
    const int count = static_cast<int>(size);
    for (int i = 0; i < messages + ahead; ++i) {
        const auto at = static_cast<std::size_t>(i % ahead);
        MPI_Wait(&receiving[at], MPI_STATUS_IGNORE);
        MPI_Wait(&sending[at], MPI_STATUS_IGNORE);
        if (i >= messages) continue;
        MPI_Irecv(in[at].data(), count, MPI_LONG, 1, what, MPI_COMM_WORLD, &receiving[at]);
        MPI_Isend(out[at].data(), count, MPI_LONG, 1, what, MPI_COMM_WORLD, &sending[at]);
    }
}

/// 16 MiB there, and one number back.
void send_once() {
    std::vector<long> message(std::size_t{2} << 20, 1);
    MPI_Send(message.data(), static_cast<int>(message.size()), MPI_LONG, 1, swallow, MPI_COMM_WORLD);
    MPI_Recv(message.data(), 1, MPI_LONG, 1, swallow, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/// The median of the microseconds from a ring of the bell to the answer; both ranks sleep while they wait.
void measure_bell(int rank) {
    namespace mpi = procpool::detail::mpi;
    constexpr int times = 2000;
    mpi::bell bell(rank, 2);
    mpi::bell_of_rank_0 told;
    if (rank == 0) told = bell.describe();
    MPI_Bcast(&told, sizeof told, MPI_BYTE, 0, MPI_COMM_WORLD);
    bell.know(told);
    const auto wait = [&] {
        pollfd file{bell.file().get(), POLLIN, 0};
        poll(&file, 1, -1);
        bell.silence();
    };
    if (rank == 1) {
        bell.ring(0);  // rank 0 learns the address
        for (int i = 0; i < times; ++i) wait(), bell.ring(0);
    } else {
        wait();
        const auto there_and_back = [&] { bell.ring(1), wait(); };
        measure::tell("apply_bell", measure::median_seconds(times, there_and_back) * 1e6);
    }
}

void measure_all() {
    ask(1000, 1, numbers);
    measure::tell("map_1", 50'000 / measure::seconds([] { ask(50'000, 1, numbers); }));
    measure::tell("map_64", 1'280'000 / measure::seconds([] { ask(20'000, 64, numbers); }));
    measure::tell("map", 2'000'000 / measure::seconds([] { ask(400, 5000, numbers); }));
    measure::tell("apply", measure::median_seconds(1000, [] { ask(1, 1, numbers); }) * 1e6);
    for (const int kib : {64, 1024, 16'384}) {
        const int count = kib == 64 ? 200 : kib == 1024 ? 40 : 6;
        const auto size = static_cast<std::size_t>(kib) * 128;
        const double taken = measure::seconds([&] { ask(count, size, bytes); });
        measure::tell("echo_" + std::to_string(kib), 2.0 * 1024 * kib * count / 1e6 / taken);
    }
}

}  // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    const bool all = std::string_view(argv[1]) == "all";
    if (all) measure_bell(rank);
    if (rank == 1) answer();
    if (rank == 0) {
        if (all)
            measure_all();
        else
            measure::tell("bound", measure::seconds(send_once));
        MPI_Send(nullptr, 0, MPI_LONG, 1, stop, MPI_COMM_WORLD);
    }
    procpool::detail::mpi::finalize(EXIT_SUCCESS);
}
