// SPDX-License-Identifier: MIT
// What a journal costs a batch: the same map with one and without, by turns. Usage: journal_cost [ROUNDS]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <procpool/journal.hpp>
#include <procpool/pool.hpp>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include "median.hpp"

namespace mp = procpool;

namespace {

using steady = std::chrono::steady_clock;
constexpr std::chrono::milliseconds one_task(1);

int sleep_for_a_task(int x) {
    std::this_thread::sleep_for(one_task);
    return x;
}

int compute_for_a_task(int x) {
    for (const auto end = steady::now() + one_task; steady::now() < end;) {
    }
    return x;
}

double seconds_of(const std::function<void()>& what) {
    const auto start = steady::now();
    what();
    return std::chrono::duration<double>(steady::now() - start).count();
}

void compare(mp::Pool& pool, const char* name, int (*task)(int), int rounds) {
    constexpr int elements = 2000;
    const auto file = std::filesystem::temp_directory_path() / "procpool_journal_cost";
    std::vector<double> without;
    std::vector<double> with;
    std::vector<double> again;
    for (int round = 0; round < rounds; ++round) {
        without.push_back(seconds_of([&] { pool.map(task, std::views::iota(0, elements)); }));
        std::filesystem::remove(file);
        with.push_back(
            seconds_of([&] { pool.map(task, std::views::iota(0, elements), {.journal = file.string()}); }));
        again.push_back(
            seconds_of([&] { pool.map(task, std::views::iota(0, elements), {.journal = file.string()}); }));
    }
    std::filesystem::remove(file);
    std::printf("| %s | %.3f | %.3f | %+.1f %% | %.4f |\n", name, median(without), median(with),
                100 * (median(with) / median(without) - 1), median(again));
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
    mp::Pool pool(2);
    std::puts(
        "| 2,000 tasks of 1 ms, 2 workers | without, s | with a journal, s | costs | all known, s |\n"
        "|---|---|---|---|---|");
    compare(pool, "that sleep", sleep_for_a_task, rounds);
    compare(pool, "that compute", compute_for_a_task, rounds);
}
