// SPDX-License-Identifier: MIT
// Work of a given duration for benchmarks.
#ifndef PROCPOOL_BENCHMARKS_WORK_HPP
#define PROCPOOL_BENCHMARKS_WORK_HPP

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

using seconds = std::chrono::duration<double>;

inline seconds since(std::chrono::steady_clock::time_point start) {
    return std::chrono::steady_clock::now() - start;
}

/// The same work each time, whatever else the machine does; compiled once, since inlined copies differ in
/// speed.
[[gnu::noinline]] inline std::int64_t work(std::int64_t rounds) {
    std::int64_t x = rounds;
    for (std::int64_t i = 0; i < rounds; ++i) {
        x = x * 3 + i;
        benchmark::DoNotOptimize(x);
    }
    return x;
}

/// Rounds of work() that take so long here, undisturbed.
inline std::int64_t rounds_for(seconds wanted) {
    constexpr std::int64_t many = 200'000;
    seconds best{1e9};
    for (int i = 0; i < 20; ++i) {
        const auto start = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(work(many));
        best = std::min(best, since(start));
    }
    return static_cast<std::int64_t>(static_cast<double>(many) * (wanted / best));
}

#endif
