// SPDX-License-Identifier: MIT
// How soon a failure is told: a killed worker while others work, a time limit.
#include <benchmark/benchmark.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <procpool/pool.hpp>
#include <ranges>
#include <vector>

namespace mp = procpool;

namespace {

using steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// Where a task tells who it is; shared with the workers.
std::atomic<long>& victim() {
    static auto* const shared = new (::mmap(nullptr, sizeof(std::atomic<long>), PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_ANONYMOUS, -1, 0)) std::atomic<long>;
    return *shared;
}

void hang() {
    victim() = ::getpid();
    for (;;) ::pause();
}

void nap(int) { ::usleep(100); }

void tell_percentiles(benchmark::State& state, std::vector<double> seconds) {
    if (seconds.empty()) return;
    std::ranges::sort(seconds);
    state.counters["median_us"] = 1e6 * seconds[seconds.size() / 2];
    state.counters["p99_us"] = 1e6 * seconds[seconds.size() * 99 / 100];
    state.counters["max_us"] = 1e6 * seconds.back();
}

double since(steady::time_point start) {
    return std::chrono::duration<double>(steady::now() - start).count();
}

/// From the SIGKILL of a worker to the exception in the caller, while 1000 other tasks go on.
void kill_to_exception(benchmark::State& state) {
    mp::Pool pool((victim(), 2));
    std::vector<double> all;
    for (auto _ : state) {
        victim() = 0;
        auto hanging = pool.apply_async(hang);
        while (victim() == 0) ::usleep(50);
        auto others = pool.map_async(nap, std::views::iota(0, 1000), {.chunksize = 1});
        ::usleep(2000);
        const auto start = steady::now();
        ::kill(static_cast<pid_t>(victim()), SIGKILL);
        hanging.wait();
        all.push_back(since(start));
        state.SetIterationTime(all.back());
        others.get();
    }
    tell_percentiles(state, all);
}
BENCHMARK(kill_to_exception)->UseManualTime()->Iterations(200)->Unit(benchmark::kMicrosecond);

/// A task that never ends, with a limit of 100 ms: from its start to the exception.
void limit_of_100_ms(benchmark::State& state) {
    mp::Pool pool(2);
    std::vector<double> all;
    for (auto _ : state) {
        const auto start = steady::now();
        pool.apply_async({.timeout = 100ms}, hang).wait();
        all.push_back(since(start));
        state.SetIterationTime(all.back());
    }
    tell_percentiles(state, all);
}
BENCHMARK(limit_of_100_ms)->UseManualTime()->Iterations(30)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
