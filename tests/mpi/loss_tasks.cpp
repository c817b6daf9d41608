// SPDX-License-Identifier: MIT
// Tasks and nodes that misbehave, and messages that are large.
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "loss.hpp"
#include "procpool/mpi.hpp"
#include "procpool/pool_status.hpp"

namespace loss {

namespace {

int exits_at_13(int x) {
    if (x == 13) std::exit(9);
    return x;
}
int kills_all_at_13(int x) {
    if (x == 13) {
        // All workers of this node, and what has started them.
        const pid_t parent = ::getppid();
        ::kill(parent, SIGKILL);
        ::raise(SIGKILL);
    }
    return x;
}
void dies_elsewhere(const std::string& here) {
    if (host() != here) ::raise(SIGKILL);
}
template <class F>
void count_failures(mp::mpi::Pool& pool, const F& f, int count) {
    int failed = 0;
    for (const auto& one : pool.try_map(f, numbers(count), {.chunksize = 1}))
        if (!one.has_value()) ++failed;
    std::printf("failed: %d\n", failed);
}
int task_exits() {
    mp::mpi::Pool pool(options());
    count_failures(pool, exits_at_13, 200);
    expect_work(pool);
    return 0;
}
int task_kills() {
    mp::mpi::Pool pool(options());
    count_failures(pool, kills_all_at_13, 200);
    expect_work(pool);
    return 0;
}
/// Prints with what a call of a pool fails.
void print_failure(mp::mpi::Pool& pool, const std::function<void()>& call) {
    try {
        call();
        std::printf("no failure\n");
    } catch (const std::exception& error) {
        std::printf("%s: %s\n", pool.state() == mp::pool_state::failed ? "pool failed" : "call failed",
                    error.what());
    }
}
int restarts() {
    auto with = options();
    with.restart_limit = 3;
    mp::mpi::Pool pool(with, dies_elsewhere, host());
    print_failure(pool, [&] { expect_work(pool); });
    return 0;
}
int initializer_throws() {
    mp::mpi::Pool pool(
        options(),
        [](const std::string& here) {
            if (host() != here) throw std::runtime_error("no licence on " + host());
        },
        host());
    print_failure(pool, [&] { expect_work(pool); });
    return 0;
}
int initializer_hangs() {
    auto with = options();
    with.initializer_timeout = 1s;
    mp::mpi::Pool pool(
        with,
        [](const std::string& here) {
            if (host() != here) std::this_thread::sleep_for(1h);
        },
        host());
    print_failure(pool, [&] { expect_work(pool); });
    return 0;
}
int mpi_in_a_task() {
    auto with = options();
    with.maxtasksperchild = 1;
    with.keep_children = true;  // Open MPI starts a process for each, which clears up behind it
    mp::mpi::Pool pool(with);
    const auto sizes = pool.map(
        [](int) {
            MPI_Init(nullptr, nullptr);
            int size = 0;
            MPI_Comm_size(MPI_COMM_WORLD, &size);
            MPI_Finalize();
            return size;
        },
        numbers(9), {.chunksize = 1});
    expect(sizes == std::vector<int>(9, 1), "each worker is alone");
    expect_work(pool);
    return 0;
}

/// Messages that MPI's int can't count, to another node and back.
int big() {
    auto with = options();
    with.processes_per_node = 1;
    with.workers_on_rank_0 = false;
    with.node_timeout = 60s;  // the machine may be busy with the memory
    mp::mpi::Pool pool(with);
    constexpr std::size_t size = (std::size_t{1} << 31) + 12'345;
    expect(pool.apply([](const std::string& all) { return all.size() - (all.back() == 'x'); },
                      std::string(size, 'x')) == size - 1,
           "the argument");
    std::printf("argument of %zu\n", size);
    const std::string result = pool.apply([](std::size_t length) { return std::string(length, 'y'); }, size);
    expect(result.size() == size && result.front() == 'y' && result.back() == 'y', "the result");
    std::printf("result of %zu\n", result.size());
    return 0;
}

}  // namespace

void add_tasks(mode_map& modes) {
    modes["task_exits"] = task_exits;
    modes["task_kills"] = task_kills;
    modes["restarts"] = restarts;
    modes["initializer_throws"] = initializer_throws;
    modes["initializer_hangs"] = initializer_hangs;
    modes["mpi_in_a_task"] = mpi_in_a_task;
    modes["big"] = big;
}

}  // namespace loss
