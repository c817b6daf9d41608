// SPDX-License-Identifier: MIT
// What more workers cost: time a task, memory a worker, start of the pool; and what a large program costs.
// Next to it the same number of children by hand.
#include <benchmark/benchmark.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <numeric>
#include <procpool/pool.hpp>
#include <string>
#include <vector>

namespace mp = procpool;

namespace {

std::int64_t same(std::int64_t x) { return x; }

int workers_of(const benchmark::State& state) { return static_cast<int>(state.range(0)); }

void numbers_of_workers(benchmark::internal::Benchmark* all) {
    all->ArgName("workers")->UseRealTime();
    for (const int workers : {1, 2, 4, 8, 16, 32, 64}) all->Arg(workers);
}

// ---- the parent's share of a task: more workers must not make it dearer

void map_no_op(benchmark::State& state) {
    mp::Pool pool(workers_of(state));
    std::vector<std::int64_t> inputs(200'000);
    std::iota(inputs.begin(), inputs.end(), 0);
    pool.map(same, inputs, {.chunksize = 1});
    for (auto _ : state) benchmark::DoNotOptimize(pool.map(same, inputs, {.chunksize = 1}));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(inputs.size()));
}
BENCHMARK(map_no_op)->Apply(numbers_of_workers);

void apply(benchmark::State& state) {
    mp::Pool pool(workers_of(state));
    for (auto _ : state) benchmark::DoNotOptimize(pool.apply(same, std::int64_t{1}));
}
BENCHMARK(apply)->Apply(numbers_of_workers);

// ---- memory: private pages of idle workers, and pages that they share with nobody but the pool

/// The sum of a line of smaps_rollup, in KiB.
std::int64_t kibibytes(const std::string& process, const std::string& what) {
    std::ifstream file("/proc/" + process + "/smaps_rollup");
    for (std::string word; file >> word;)
        if (word == what) {
            std::int64_t size = 0;
            file >> size;
            return size;
        }
    return 0;
}

void idle_memory(benchmark::State& state) {
    mp::Pool pool(workers_of(state));
    std::vector<std::int64_t> inputs(100'000, 1);
    pool.map(same, inputs, {.chunksize = 1});
    const auto pids = pool.map([](int) { return ::getpid(); }, std::vector<int>(inputs.size(), 0));
    auto different = pids;
    std::sort(different.begin(), different.end());
    different.erase(std::unique(different.begin(), different.end()), different.end());
    std::int64_t own = 0;
    std::int64_t proportional = 0;
    for (auto _ : state)
        for (const pid_t pid : different) {
            own += kibibytes(std::to_string(pid), "Private_Clean:") +
                   kibibytes(std::to_string(pid), "Private_Dirty:");
            proportional += kibibytes(std::to_string(pid), "Pss:");
        }
    const auto looks = static_cast<double>(state.iterations()) * static_cast<double>(different.size());
    state.counters["private_KiB"] = static_cast<double>(own) / looks;
    state.counters["pss_KiB"] = static_cast<double>(proportional) / looks;
}
BENCHMARK(idle_memory)->Apply(numbers_of_workers)->Iterations(1);

// ---- start

void start_map_stop(benchmark::State& state) {
    std::vector<std::int64_t> inputs(100, 1);
    for (auto _ : state) {
        mp::Pool pool(workers_of(state));
        benchmark::DoNotOptimize(pool.map(same, inputs));
    }
}
BENCHMARK(start_map_stop)->Apply(numbers_of_workers)->Arg(100)->Arg(200)->Unit(benchmark::kMillisecond);

/// As many children of this process that do nothing.
void fork_and_wait(benchmark::State& state) {
    std::vector<pid_t> children(static_cast<std::size_t>(workers_of(state)));
    for (auto _ : state) {
        for (pid_t& child : children) {
            child = ::fork();
            if (child == 0) ::_exit(0);
        }
        for (const pid_t child : children) ::waitpid(child, nullptr, 0);
    }
}
BENCHMARK(fork_and_wait)->Apply(numbers_of_workers)->Arg(200)->Unit(benchmark::kMillisecond);

// ---- a program that has touched much memory

/// Memory of `mebibytes` that was written to.
std::unique_ptr<char[]> ballast(std::int64_t mebibytes) {
    const auto size = static_cast<std::size_t>(mebibytes) << 20;
    auto memory = std::make_unique_for_overwrite<char[]>(size);
    std::memset(memory.get(), 1, size);
    return memory;
}

void start_in_large_program(benchmark::State& state) {
    const auto memory = ballast(state.range(0));
    std::vector<std::int64_t> inputs(100, 1);
    for (auto _ : state) {
        mp::Pool pool(2);
        benchmark::DoNotOptimize(pool.map(same, inputs));
    }
}
void fork_large_program(benchmark::State& state) {
    const auto memory = ballast(state.range(0));
    for (auto _ : state) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(0);
        ::waitpid(child, nullptr, 0);
    }
}
void sizes(benchmark::internal::Benchmark* all) {
    all->ArgName("MiB")->Unit(benchmark::kMillisecond)->UseRealTime();
    for (const int mebibytes : {0, 64, 1024}) all->Arg(mebibytes);
}
BENCHMARK(start_in_large_program)->Apply(sizes);
BENCHMARK(fork_large_program)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
