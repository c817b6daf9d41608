// SPDX-License-Identifier: MIT
// Large arguments and results, shared arrays, named memory.
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "feature.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/shared_memory.hpp"

namespace faults {
namespace features_of_data {
namespace {

namespace mp = procpool;
using mp::start_method;

using Numbers = mp::SharedArray<long, 1>;

std::vector<long> doubled(std::vector<long> values) {
    for (long& one : values) one *= 2;
    return values;
}
std::string repeated(char c) { return std::string(3'000'000, c); }

template <start_method How>
void large_data() {
    mp::Pool pool({.processes = 2, .start_method = How});
    attempts attempt;
    attempt([&] {
        std::vector<long> large(100'000);
        std::iota(large.begin(), large.end(), 0L);
        const auto results = pool.map(doubled, std::vector(4, large), {.chunksize = 1});
        expect(results.size() == 4, "large: as many results as inputs");
        for (const auto& result : results) expect(result == doubled(large), "large both ways");
    });
    attempt([&] {
        char next = 'a';
        for (const std::string& text : pool.imap(repeated, std::string("abc")))
            expect(text == repeated(next++), "large results");
    });
    attempt([&] {
        pool.close();
        pool.join();
    });
    attempt.finish();
}

/// More than the arenas may hold: the rest goes through pipes.
void large_data_through_pipes() {
    mp::Pool pool({.processes = 1, .start_method = start_method::fork, .arena_limit = 1u << 20});
    const std::vector<long> large(300'000, 7);
    expect(pool.map(doubled, std::vector(2, large)) == std::vector(2, doubled(large)), "large both ways");
}

void fill(const Numbers& numbers, long i) { numbers[static_cast<std::size_t>(i)] = i + 1; }
Numbers make_numbers(long n) {
    const Numbers numbers({static_cast<std::size_t>(n)});
    for (long i = 0; i < n; ++i) fill(numbers, i);
    return numbers;
}

template <start_method How>
void shared_array() {
    const Numbers numbers({100}, {.prefault = true});
    const Numbers large({4u << 20});  // so large that it is asked whether there is so much memory
    mp::Pool pool({.processes = 2, .start_method = How});
    attempts attempt;
    attempt([&] {
        pool.map(mp::partial(fill, numbers), std::views::iota(0L, 100L));
        expect(std::accumulate(numbers.begin(), numbers.end(), 0L) == 5050, "filled by workers");
    });
    attempt([&] {
        const auto made = pool.apply(make_numbers, 10L);
        expect(std::accumulate(made.begin(), made.end(), 0L) == 55, "made by a worker");
    });
    attempt([&] {
        const auto shared = mp::share(std::vector<long>{1, 2, 3});
        const long sum = pool.apply(
            [](const mp::SharedArray<const long, 1>& all) {
                return std::accumulate(all.begin(), all.end(), 0L);
            },
            shared);
        expect(sum == 6, "shared");
    });
    attempt.finish();
}

void mapped_file() {
    const auto path = std::filesystem::temp_directory_path() / ("faults-" + std::to_string(::getpid()));
    const struct remover {
        const std::filesystem::path& path;
        ~remover() { std::remove(path.c_str()); }
    } afterwards{path};
    {
        std::ofstream file(path, std::ios::binary);
        const std::array<long, 4> values{1, 2, 3, 4};
        file.write(reinterpret_cast<const char*>(values.data()), sizeof values);
    }
    const auto array = mp::SharedArray<const long, 1>::map_file(path.string(), {4});
    mp::Pool pool({.processes = 1, .start_method = start_method::fork});
    const long sum = pool.apply(
        [](const mp::SharedArray<const long, 1>& all) { return std::accumulate(all.begin(), all.end(), 0L); },
        array);
    expect(sum == 10, "read by a worker");
}

void named_memory() {
    const std::string name = "faults-" + std::to_string(::getpid());
    {
        const auto memory = mp::SharedMemory::create(10'000, name);
        memory.buf()[5] = std::byte{7};
        const mp::SharedMemory again(name);
        expect(again.buf()[5] == std::byte{7}, "found by its name");
    }
    expect(::access(("/dev/shm/" + name).c_str(), F_OK) != 0, "its name is gone");
}

constexpr std::array features{feature{"large_data_fork", large_data<start_method::fork>},
                              feature{"large_data_spawn", large_data<start_method::spawn>},
                              feature{"large_data_pipes", large_data_through_pipes},
                              feature{"shared_array", shared_array<start_method::fork>},
                              feature{"shared_array_spawn", shared_array<start_method::spawn>},
                              feature{"mapped_file", mapped_file},
                              feature{"named_memory", named_memory}};

}  // namespace
}  // namespace features_of_data

std::span<const feature> data_features() { return features_of_data::features; }

}  // namespace faults
