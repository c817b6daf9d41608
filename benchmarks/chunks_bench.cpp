// SPDX-License-Identifier: MIT
// Chunk sizes on even and uneven work: map's own choice next to Python's rule (four chunks a worker) and to
// one element at a time. The sets are those of joblib's benchmark of its batches: tasks of equal times, of
// uniformly distributed ones, and of such that follow a cosine, in order and shuffled.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <optional>
#include <procpool/pool.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "work.hpp"

namespace mp = procpool;

namespace {

constexpr int workers = 2;
enum class set { constant, uniform, cosine, shuffled_cosine };

/// Rounds of `count` tasks of `mean` on average.
std::vector<std::int64_t> tasks(set which, std::size_t count, seconds mean) {
    const auto rounds = static_cast<double>(rounds_for(mean));
    std::mt19937 random(42);
    std::vector<std::int64_t> all(count);
    for (std::size_t i = 0; i < count; ++i) {
        const double at = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(count);
        const double factor = which == set::constant  ? 1
                              : which == set::uniform ? std::uniform_real_distribution<>(0, 2)(random)
                                                      : 1 + std::cos(at);
        all[i] = static_cast<std::int64_t>(factor * rounds);
    }
    if (which == set::shuffled_cosine) std::shuffle(all.begin(), all.end(), random);
    return all;
}

enum class rule { own, pythons, single };

/// Counter "efficiency": serial time / (workers * parallel time), measured in turns.
void map(benchmark::State& state, set which, rule chunks) {
    const auto inputs =
        tasks(which, static_cast<std::size_t>(state.range(0)), seconds(0.05 / double(state.range(0))));
    const auto pieces = static_cast<std::ptrdiff_t>(4 * workers);
    const auto size = static_cast<std::ptrdiff_t>(inputs.size());
    std::optional<std::ptrdiff_t> chunksize;
    if (chunks == rule::pythons) chunksize = (size + pieces - 1) / pieces;
    if (chunks == rule::single) chunksize = 1;
    mp::Pool pool(workers);
    pool.map(work, inputs, {.chunksize = chunksize});
    seconds serial{0};
    seconds parallel{0};
    for (auto _ : state) {
        state.PauseTiming();
        auto start = std::chrono::steady_clock::now();
        for (const std::int64_t rounds : inputs) benchmark::DoNotOptimize(work(rounds));
        serial += since(start);
        state.ResumeTiming();
        start = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(pool.map(work, inputs, {.chunksize = chunksize}));
        parallel += since(start);
    }
    state.counters["efficiency"] = serial / (workers * parallel);
}

[[maybe_unused]] const bool registered = [] {
    const std::vector<std::pair<std::string, set>> sets{{"constant", set::constant},
                                                        {"uniform", set::uniform},
                                                        {"cosine", set::cosine},
                                                        {"shuffled_cosine", set::shuffled_cosine}};
    const std::vector<std::pair<std::string, rule>> rules{
        {"own", rule::own}, {"pythons", rule::pythons}, {"single", rule::single}};
    for (const auto& [set_name, which] : sets)
        for (const auto& [rule_name, chunks] : rules) {
            auto* const one = benchmark::RegisterBenchmark(
                ("map_" + set_name + "/" + rule_name).c_str(),
                [which = which, chunks = chunks](benchmark::State& state) { map(state, which, chunks); });
            // 50 ms of work: tasks of 5 us, 50 us and 1 ms.
            one->ArgName("tasks")->Arg(10'000)->Arg(1'000)->Arg(50)->UseRealTime();
        }
    return true;
}();

}  // namespace

BENCHMARK_MAIN();
