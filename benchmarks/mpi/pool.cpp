// SPDX-License-Identifier: MIT
// The measures of an mpi::Pool. Usage: pool WORKERS_PER_NODE
#include <chrono>
#include <cstddef>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <procpool/mpi.hpp>

#include "measure.hpp"

namespace mp = procpool;

namespace {

long cube(long x) { return x * x * x; }
int doze(int us) {
    std::this_thread::sleep_for(std::chrono::microseconds(us));
    return us;
}
std::vector<double> identity(std::vector<double> values) { return values; }

std::vector<long> numbers(std::size_t count) {
    std::vector<long> all(count);
    std::iota(all.begin(), all.end(), 0);
    return all;
}

int measure_all(int per_node) {
    mp::mpi::Pool pool(per_node);
    pool.map(cube, numbers(10'000));
    const auto some = numbers(200'000);
    const auto many = numbers(2'000'000);
    measure::tell("map_1", 200'000 / measure::seconds([&] { pool.map(cube, some, {.chunksize = 1}); }));
    measure::tell("map", 2'000'000 / measure::seconds([&] { pool.map(cube, many); }));
    measure::tell("apply", measure::median_seconds(1000, [&] { pool.apply(cube, 3L); }) * 1e6);
    for (const int us : {1000, 10'000}) {
        const std::size_t each = us == 1000 ? 250 : 50;
        const std::vector<int> naps(each * pool.size(), us);
        const double taken = measure::seconds([&] { pool.map(doze, naps, {.chunksize = 1}); });
        measure::tell("doze_" + std::to_string(us), us * 1e-6 * static_cast<double>(each) / taken);
    }
    for (const std::size_t kib : {64u, 1024u, 16'384u}) {
        const std::size_t count = kib == 64 ? 100 : kib == 1024 ? 20 : 2;
        const std::vector<std::vector<double>> arrays(count, std::vector<double>(kib * 128, 1.0));
        const double taken = measure::seconds([&] { pool.map(identity, arrays, {.chunksize = 1}); });
        measure::tell("echo_" + std::to_string(kib),
                      2.0 * 1024 * static_cast<double>(kib * count) / 1e6 / taken);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return mp::mpi::run(argc, argv,
                        [](int, char** arguments) { return measure_all(std::stoi(arguments[1])); });
}
