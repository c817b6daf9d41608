// SPDX-License-Identifier: MIT
// Ends of main while a pool works.
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "loss.hpp"
#include "procpool/error.hpp"
#include "procpool/mpi.hpp"
#include "procpool/result.hpp"

namespace loss {

namespace {

std::unique_ptr<mp::mpi::Pool> global_pool;
std::optional<mp::AsyncResult<std::vector<int>>> global_result;

/// A pool that works while main ends.
void start_working() {
    global_pool = std::make_unique<mp::mpi::Pool>(options());
    global_result.emplace(global_pool->map_async(slow_square, numbers(100'000)));
    global_pool->apply(slow_square, 1);
}
int throws() {
    mp::mpi::Pool pool(options());
    auto results = pool.map_async(slow_square, numbers(100'000));
    throw std::runtime_error("thrown by main");
}
int exits(int code) {
    mp::mpi::Pool pool(options());
    auto results = pool.map_async(slow_square, numbers(100'000));
    std::printf("exits\n");
    std::exit(code);
}
int exits_in_a_callback() {
    mp::mpi::Pool pool(options());
    auto result = pool.apply_async(slow_square, 1);
    result.callback([](int) { std::exit(6); });
    result.wait();
    std::this_thread::sleep_for(1h);
    return 0;
}
int result_outlives_pool() {
    std::optional<mp::AsyncResult<std::vector<int>>> result;
    {
        mp::mpi::Pool pool(options());
        global_result.emplace(pool.map_async(slow_square, numbers(1000)));
        result.emplace(pool.map_async(slow_square, numbers(100'000)));
        global_result->get();
    }
    try {
        result->get();
    } catch (const mp::PoolTerminated&) {
        std::printf("terminated\n");
    }
    return 3;
}

/// A child that main has forked ends by itself, which nobody else notices.
int forks() {
    mp::mpi::Pool pool(options());
    expect_work(pool);
    for (const bool by_exit : {true, false}) {
        const pid_t child = ::fork();
        expect(child >= 0, "fork");
        if (child == 0) {
            if (by_exit) std::exit(4);
            return 5;
        }
        int status = 0;
        expect(::waitpid(child, &status, 0) == child && WIFEXITED(status), "the child ends");
        std::printf("child ended with %d\n", WEXITSTATUS(status));
        expect_work(pool);
    }
    print_nodes(pool);
    return 6;
}

std::set<pid_t> threads() {
    std::set<pid_t> all;
    for (const auto& one : std::filesystem::directory_iterator("/proc/self/task"))
        all.insert(std::stoi(one.path().filename().string()));
    return all;
}
/// Until this process ends.
void stop_thread(pid_t thread) {
    std::array<int, 2> stopped{};
    expect(::pipe(stopped.data()) == 0, "pipe");
    const pid_t child = ::fork();
    expect(child >= 0, "fork");
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        int status = 0;
        const bool done = ::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0 &&
                          ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0 &&
                          ::waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status) &&
                          ::write(stopped[1], "", 1) == 1;
        if (!done) ::_exit(1);
        for (;;) ::pause();
    }
    ::close(stopped[1]);
    char any = 0;
    expect(::read(stopped[0], &any, 1) == 1, "the thread is stopped");
    ::close(stopped[0]);
}
/// Rank 0's own share of the pool can't end, as if its workers were stuck in the kernel.
int own_share_hangs() {
    const std::set<pid_t> before = threads();
    mp::mpi::Pool pool(options());
    expect_work(pool);
    for (const pid_t one : threads())  // the first that the pool has started
        if (!before.contains(one)) {
            stop_thread(one);
            break;
        }
    std::printf("ends\n");
    return 5;
}

/// What std::cout keeps in a buffer of its own is printed, though nobody ends MPI after a loss.
int prints_by_cout() {
    std::ios::sync_with_stdio(false);
    {
        mp::mpi::Pool pool(options());
        auto results = pool.map_async(mp::partial(slow_square_that_tells, folder), numbers(3000));
        expect_squares(results.get(), 3000);
        std::cout << "printed by cout";
    }
    return 7;
}

}  // namespace

void add_ends_of_main(mode_map& modes) {
    modes["throw"] = throws;
    modes["exit3"] = [] { return exits(3); };
    modes["exit0"] = [] { return exits(0); };
    modes["exit_in_callback"] = exits_in_a_callback;
    modes["_exit4"] = []() -> int {
        start_working();
        ::_exit(4);
    };
    modes["abort"] = []() -> int {
        start_working();
        std::abort();
    };
    modes["quick_exit5"] = []() -> int {
        start_working();
        std::quick_exit(5);
    };
    modes["return7"] = [] { return 7; };
    modes["global_pool"] = [] {
        start_working();
        return 8;
    };
    modes["global_pool_exit"] = []() -> int {
        start_working();
        std::exit(9);
    };
    modes["result_outlives_pool"] = result_outlives_pool;
    modes["forks"] = forks;
    modes["own_share_hangs"] = own_share_hangs;
    modes["prints_by_cout"] = prints_by_cout;
}

}  // namespace loss
