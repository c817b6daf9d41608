// SPDX-License-Identifier: MIT
// How fast a task makes results of 16 MiB that are never copied (mp::Buffer), beside a memcpy into shared
// memory by the same worker, by turns. Usage: buffer_rate [ROUNDS]
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <procpool/buffer.hpp>
#include <procpool/imap.hpp>
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>
#include <ranges>
#include <span>
#include <vector>

#include "median.hpp"

namespace mp = procpool;

namespace {

using steady = std::chrono::steady_clock;
constexpr std::size_t numbers = (std::size_t{16} << 20) / sizeof(double);
constexpr int results = 100;
constexpr int first_ones = 10;  // which touch memory that is fresh

std::span<const double> source() {
    static const std::vector<double> values(numbers, 1.5);
    return values;
}

double seconds_since(steady::time_point begin) {
    return std::chrono::duration<double>(steady::now() - begin).count();
}

/// Seconds for one, each into other memory than the one before, as results have that are there together.
double copy(const mp::SharedArray<double, 2>& to) {
    const auto one = [&](std::size_t i) {
        std::memcpy(to[i % to.shape()[0]].data(), source().data(), source().size_bytes());
    };
    for (std::size_t i = 0; i < first_ones; ++i) one(i);
    const auto begin = steady::now();
    for (std::size_t i = first_ones; i < results; ++i) one(i);
    return seconds_since(begin) / (results - first_ones);
}

mp::Buffer<double> make(int) { return mp::Buffer<double>(source()); }

/// Seconds for one that the program has got and dropped.
double produce(mp::Pool& pool) {
    auto begin = steady::now();
    int taken = 0;
    for (const auto& result : pool.imap(make, std::views::iota(0, results))) {
        if (result.size() != numbers || result[numbers - 1] != 1.5) std::abort();
        if (++taken == first_ones) begin = steady::now();
    }
    return seconds_since(begin) / (results - first_ones);
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
    mp::Pool pool(1);
    const mp::SharedArray<double, 2> array({4, numbers});  // as many as imap has ahead, and the one in hand
    std::vector<double> copies, products, parts;
    for (int round = 0; round < rounds; ++round) {
        const double before = pool.apply(copy, array);
        products.push_back(produce(pool));
        copies.push_back((before + pool.apply(copy, array)) / 2);
        parts.push_back(copies.back() / products.back());
    }
    constexpr double gib = 1 << 30;
    constexpr double bytes = numbers * sizeof(double);
    std::printf(
        "| results of 16 MiB, 1 worker | GiB/s | of memcpy |\n"
        "|---|---|---|\n"
        "| memcpy into shared memory | %.1f | 1 |\n"
        "| a task's Buffer, taken by imap | %.1f | %.2f |\n",
        bytes / gib / median(copies), bytes / gib / median(products), median(parts));
}
