// SPDX-License-Identifier: MIT
// The measures of an mpi::Pool. Usage: pool everywhere|remote|local|chain|naps WORKERS_PER_NODE
//   everywhere  all nodes have workers
//   remote      all but rank 0's; measures end in _remote
//   local       a procpool::Pool of rank 0's machine, with half as many and as many workers as two nodes have
//   chain       what is bound goes to all nodes but rank 0's
//   naps        as everywhere, sleeping tasks only; measures end in _slow_link, which is the caller's to make
// WORKERS_PER_NODE 0 is one for each processor of the node.
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <procpool/mpi.hpp>
#include <procpool/pool.hpp>

#include "measure.hpp"

namespace mp = procpool;

namespace {

long cube(long x) { return x * x * x; }
int doze(int us) {
    std::this_thread::sleep_for(std::chrono::microseconds(us));
    return us;
}
std::vector<double> identity(std::vector<double> values) { return values; }
double add_first(const std::vector<double>& bound, double x) { return bound.front() + x; }

/// Seconds of processor time that the threads of a process have taken.
double processor_seconds(const std::filesystem::path& process) {
    double total = 0;
    for (const auto& thread : std::filesystem::directory_iterator(process / "task")) {
        double nanoseconds = 0;
        std::ifstream(thread.path() / "schedstat") >> nanoseconds;
        total += nanoseconds * 1e-9;
    }
    return total;
}
/// Of the rank that hosts this worker: the first process of this program on this machine.
double processor_seconds_of_host(int) {
    namespace fs = std::filesystem;
    const auto of = [](const fs::path& process, const char* what) {
        std::error_code not_ours;
        return fs::read_symlink(process / what, not_ours);
    };
    long first = 0;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        if (of(entry, "exe") != of("/proc/self", "exe") || of(entry, "ns/net") != of("/proc/self", "ns/net"))
            continue;
        if (first == 0 || std::stol(name) < first) first = std::stol(name);
    }
    return processor_seconds("/proc/" + std::to_string(first));
}

std::vector<long> numbers(std::size_t count) {
    std::vector<long> all(count);
    std::iota(all.begin(), all.end(), 0);
    return all;
}

template <class Pool>
void measure_naps(Pool& pool, const std::string& suffix) {
    for (const int us : {1000, 10'000}) {
        const std::size_t each = us == 1000 ? 250 : 50;
        const std::vector<int> naps(each * pool.size(), us);
        const double taken = measure::seconds([&] { pool.map(doze, naps, {.chunksize = 1}); });
        measure::tell("doze_" + std::to_string(us) + suffix, us * 1e-6 * static_cast<double>(each) / taken);
    }
    // One in twenty takes twenty times as long.
    std::vector<int> unequal(250 * pool.size(), 1000);
    for (std::size_t i = 7; i < unequal.size(); i += 20) unequal[i] = 20'000;
    const double all = 1e-6 * std::accumulate(unequal.begin(), unequal.end(), 0.0);
    const double taken = measure::seconds([&] { pool.map(doze, unequal, {.chunksize = 1}); });
    measure::tell("doze_unequal" + suffix, all / static_cast<double>(pool.size()) / taken);
}

void measure_pool(mp::mpi::Pool& pool, const std::string& suffix) {
    pool.map(cube, numbers(10'000));
    const auto some = numbers(200'000);
    const auto many = numbers(2'000'000);
    measure::tell("map_1" + suffix,
                  200'000 / measure::seconds([&] { pool.map(cube, some, {.chunksize = 1}); }));
    measure::tell("map" + suffix, 2'000'000 / measure::seconds([&] { pool.map(cube, many); }));
    measure::tell("apply" + suffix, measure::median_seconds(1000, [&] { pool.apply(cube, 3L); }) * 1e6);
    measure_naps(pool, suffix);
    for (const std::size_t kib : {64u, 1024u, 16'384u}) {
        const std::size_t count = kib == 64 ? 200 : kib == 1024 ? 40 : 6;
        const std::vector<std::vector<double>> arrays(count, std::vector<double>(kib * 128, 1.0));
        pool.map(identity, std::vector(2, arrays.front()), {.chunksize = 1});
        const double taken = measure::seconds([&] { pool.map(identity, arrays, {.chunksize = 1}); });
        measure::tell("echo_" + std::to_string(kib) + suffix,
                      2.0 * 1024 * static_cast<double>(kib * count) / 1e6 / taken);
    }
}

/// Per cent of a processor that a host takes while its workers are busy, and rank 0 while it waits for them.
void measure_idle(mp::mpi::Pool& pool) {
    constexpr int nap = 3'000'000;
    const double host = pool.apply(processor_seconds_of_host, 0);
    const double here = processor_seconds("/proc/self");
    pool.map(doze, std::vector<int>(pool.size(), nap), {.chunksize = 1});
    measure::tell("idle_host", (pool.apply(processor_seconds_of_host, 0) - host) / (nap * 1e-8));
    measure::tell("idle_rank_0", (processor_seconds("/proc/self") - here) / (nap * 1e-8));
}

void measure_chain(mp::mpi::Pool& pool) {
    pool.map(cube, numbers(10'000));
    const auto bound = mp::partial(add_first, std::vector<double>(std::size_t{2} << 20, 1.0));
    const std::vector<double> one_each(pool.size(), 1.0);
    measure::tell("bound", measure::seconds([&] { pool.map(bound, one_each, {.chunksize = 1}); }));
}

int measure_all(std::string_view what, int per_node) {
    if (what == "local") {
        mp::Pool half(per_node);
        measure_naps(half, "_remote");
        mp::Pool whole(2 * per_node);
        measure_naps(whole, "");
        return 0;
    }
    mp::mpi::PoolOptions options{.workers_on_rank_0 = what == "everywhere" || what == "naps"};
    if (per_node > 0) options.processes_per_node = per_node;
    mp::mpi::Pool pool(options);
    if (what == "naps") measure_naps(pool, "_slow_link");
    if (what == "everywhere") measure_pool(pool, "");
    if (what == "remote") {
        measure_pool(pool, "_remote");
        measure_idle(pool);
    }
    if (what == "chain") measure_chain(pool);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return mp::mpi::run(
        argc, argv, [](int, char** arguments) { return measure_all(arguments[1], std::stoi(arguments[2])); });
}
