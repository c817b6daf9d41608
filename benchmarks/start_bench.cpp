// SPDX-License-Identifier: MIT
// What it costs to start workers, by start method; next to it the least that a system asks for a process.
#include <benchmark/benchmark.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <new>
#include <string_view>

#include "procpool/freeze_support.hpp"
#include "procpool/pool.hpp"
#include "procpool/reusable_pool.hpp"

namespace {

namespace mp = procpool;

int negate(int x) { return -x; }

void start_task_stop(benchmark::State& state, mp::start_method method) {
    for (auto _ : state) {
        mp::Pool pool({.processes = 2, .start_method = method});
        benchmark::DoNotOptimize(pool.apply(negate, 1));
        pool.close();
        pool.join();
    }
}
BENCHMARK_CAPTURE(start_task_stop, fork, mp::start_method::fork)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(start_task_stop, forkserver, mp::start_method::forkserver)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(start_task_stop, spawn, mp::start_method::spawn)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// A pool that is there already.
void reused_task(benchmark::State& state) {
    mp::reusable_pool(2)->apply(negate, 1);
    for (auto _ : state) benchmark::DoNotOptimize(mp::reusable_pool(2)->apply(negate, 1));
    mp::end_reusable_pool();
}
BENCHMARK(reused_task)->Unit(benchmark::kMillisecond)->UseRealTime();

/// From the death of a worker to the result of its replacement.
void replace_worker(benchmark::State& state, mp::start_method method) {
    mp::Pool pool({.processes = 1, .start_method = method});
    for (auto _ : state) {
        auto victim = pool.apply_async([] { ::_exit(0); });
        benchmark::DoNotOptimize(pool.apply(negate, 1));
        victim.wait();
    }
}
BENCHMARK_CAPTURE(replace_worker, fork, mp::start_method::fork)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(replace_worker, spawn, mp::start_method::spawn)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void fork_wait(benchmark::State& state) {
    for (auto _ : state) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(0);
        ::waitpid(child, nullptr, 0);
    }
}
BENCHMARK(fork_wait)->Unit(benchmark::kMillisecond)->UseRealTime();

/// A fresh run of this program that leaves main at once.
void execute_wait(benchmark::State& state) {
    std::array<char*, 3> arguments{const_cast<char*>("start_bench"), const_cast<char*>("--leave"), nullptr};
    for (auto _ : state) {
        pid_t child = 0;
        if (::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ) != 0)
            throw std::bad_alloc();
        ::waitpid(child, nullptr, 0);
    }
}
BENCHMARK(execute_wait)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);
    if (argc == 2 && std::string_view(argv[1]) == "--leave") ::_exit(0);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
    benchmark::RunSpecifiedBenchmarks();
}
