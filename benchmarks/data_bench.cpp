// SPDX-License-Identifier: MIT
// How fast large arguments, results and arrays move, next to the same by hand. Bytes are those that go in and
// those that come out.
#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <procpool/buffer.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>
#include <span>
#include <vector>

namespace mp = procpool;

namespace {

constexpr int workers = 2;

void count_bytes(benchmark::State& state, std::size_t per_iteration) {
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(per_iteration));
}

// ---- echo

using numbers = std::vector<double>;

numbers same(numbers values) { return values; }

std::vector<numbers> arrays(std::size_t bytes) {
    constexpr std::size_t all = std::size_t{256} << 20;
    return {std::clamp<std::size_t>(all / bytes, 8, 512), numbers(bytes / sizeof(double), 1.5)};
}

void echo(benchmark::State& state, std::size_t arena_limit) {
    mp::Pool pool(mp::PoolOptions{.processes = workers, .arena_limit = arena_limit});
    const auto inputs = arrays(static_cast<std::size_t>(state.range(0)));
    pool.map(same, inputs);  // the first call takes the memory that all others use
    for (auto _ : state) benchmark::DoNotOptimize(pool.map(same, inputs, {.chunksize = 1}));
    count_bytes(state, 2 * inputs.size() * static_cast<std::size_t>(state.range(0)));
}
void echo_through_arenas(benchmark::State& state) { echo(state, std::size_t{4} << 30); }
void echo_through_pipes(benchmark::State& state) { echo(state, 0); }

void sizes(benchmark::internal::Benchmark* all) {
    for (const std::int64_t bytes : {16 << 10, 32 << 10, 64 << 10, 128 << 10, 1 << 20, 16 << 20})
        all->Arg(bytes);
    all->UseRealTime();
}
BENCHMARK(echo_through_arenas)->Apply(sizes);
BENCHMARK(echo_through_pipes)->Apply(sizes);

/// Takes `size` bytes that children share.
std::byte* shared_memory(std::size_t size) {
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return static_cast<std::byte*>(memory);
}

void exchange(int out, int in) {
    char token = 0;
    if (::write(out, &token, 1) != 1 || ::read(in, &token, 1) != 1) std::abort();
}

/// By hand, one at a time: into shared memory, out of it, into it, out of it, all of that warm.
void four_copies_by_hand(benchmark::State& state) {
    const auto size = static_cast<std::size_t>(state.range(0));
    std::byte* const memory = shared_memory(2 * size);
    std::array<int, 2> down{}, up{};
    if (::pipe(down.data()) != 0 || ::pipe(up.data()) != 0) std::abort();
    const auto make = [&] {
        auto bytes = std::make_unique<std::byte[]>(size);
        std::memset(bytes.get(), 1, size);
        return bytes;
    };
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(down[1]);
        const auto own = make();
        for (char token = 0; ::read(down[0], &token, 1) == 1;) {
            std::memcpy(own.get(), memory, size);
            std::memcpy(memory + size, own.get(), size);
            if (::write(up[1], &token, 1) != 1) break;
        }
        std::_Exit(EXIT_SUCCESS);
    }
    const auto own = make();
    for (auto _ : state) {
        std::memcpy(memory, own.get(), size);
        exchange(down[1], up[0]);
        std::memcpy(own.get(), memory + size, size);
    }
    count_bytes(state, 2 * size);
    for (const int file : {down[0], down[1], up[0], up[1]}) ::close(file);
    ::waitpid(child, nullptr, 0);
    ::munmap(memory, 2 * size);
}
BENCHMARK(four_copies_by_hand)->Apply(sizes);

// ---- results that are never copied

/// What a task fills its result with.
const std::vector<double>& source(std::size_t bytes) {
    static std::vector<double> values;
    if (values.size() != bytes / sizeof(double)) values.assign(bytes / sizeof(double), 1.5);
    return values;
}
mp::Buffer<double> produced(std::size_t bytes) { return mp::Buffer<double>(source(bytes)); }

/// One worker fills Buffers, the program looks at them and drops them.
void produce_buffers(benchmark::State& state) {
    mp::Pool pool(1);
    const auto bytes = static_cast<std::size_t>(state.range(0));
    const std::vector<std::size_t> inputs(64, bytes);
    for (auto _ : state)
        for (const mp::Buffer<double>& one : pool.imap(produced, inputs, {.buffersize = 4}))
            benchmark::DoNotOptimize(one[0]);
    count_bytes(state, inputs.size() * bytes);
}
/// The limit: one worker copies the same into an arena, again and again.
void copy_into_arena(benchmark::State& state) {
    mp::Pool pool(1);
    const auto bytes = static_cast<std::size_t>(state.range(0));
    const auto copies = [](std::size_t size) {
        for (int i = 0; i < 64; ++i) benchmark::DoNotOptimize(produced(size)[0]);
    };
    for (auto _ : state) pool.apply(copies, bytes);
    count_bytes(state, 64 * bytes);
}
void large_sizes(benchmark::internal::Benchmark* all) { all->Arg(1 << 20)->Arg(16 << 20)->UseRealTime(); }
BENCHMARK(produce_buffers)->Apply(large_sizes);
BENCHMARK(copy_into_arena)->Apply(large_sizes);

/// A task that only looks at its argument: no copy in the worker.
void sum_of_views(benchmark::State& state) {
    mp::Pool pool(workers);
    const auto inputs = arrays(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state)
        benchmark::DoNotOptimize(pool.map(
            [](std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); },
            inputs, {.chunksize = 1}));
    count_bytes(state, inputs.size() * static_cast<std::size_t>(state.range(0)));
}
BENCHMARK(sum_of_views)->Apply(sizes);

// ---- filling an array

constexpr std::size_t filled = std::size_t{1} << 30;

void fill_shared_array(benchmark::State& state) {
    mp::Pool pool(workers);
    for (auto _ : state) {
        const mp::SharedArray<std::uint8_t, 2> array({64, filled / 64});
        pool.map(mp::partial(
                     [](const mp::SharedArray<std::uint8_t, 2>& rows, int i) {
                         const auto row = rows[i].span();
                         std::memset(row.data(), i, row.size());
                     },
                     array),
                 [] {
                     std::array<int, 64> all{};
                     std::iota(all.begin(), all.end(), 0);
                     return all;
                 }());
    }
    count_bytes(state, filled);
}
BENCHMARK(fill_shared_array)->UseRealTime()->Unit(benchmark::kMillisecond);

void fill_by_hand(benchmark::State& state) {
    for (auto _ : state) {
        std::byte* const memory = shared_memory(filled);
        std::array<pid_t, workers> children{};
        for (std::size_t i = 0; i < children.size(); ++i) {
            children[i] = ::fork();
            if (children[i] != 0) continue;
            std::memset(memory + i * (filled / workers), static_cast<int>(i), filled / workers);
            std::_Exit(EXIT_SUCCESS);
        }
        for (const pid_t child : children) ::waitpid(child, nullptr, 0);
        ::munmap(memory, filled);
    }
    count_bytes(state, filled);
}
BENCHMARK(fill_by_hand)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
