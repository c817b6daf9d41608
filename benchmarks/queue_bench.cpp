// SPDX-License-Identifier: MIT
// How many items a second go through a queue, between processes. compare/queue_peer.py measures Python's the
// same way, and both in turns if it is given this program.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <procpool/pool.hpp>
#include <procpool/queue.hpp>
#include <vector>

namespace mp = procpool;

namespace {

template <class Item>
Item item_of(std::int64_t bytes);
template <>
std::int64_t item_of(std::int64_t) {
    return 1;
}
template <>
std::vector<double> item_of(std::int64_t bytes) {
    return std::vector<double>(static_cast<std::size_t>(bytes) / sizeof(double), 1.5);
}

template <class Item>
void put_many(const mp::Queue<Item>& queue, std::int64_t number, std::int64_t bytes) {
    const Item item = item_of<Item>(bytes);
    for (std::int64_t i = 0; i < number; ++i) queue.put(item);
}

template <class Item>
void get_many(const mp::Queue<Item>& queue, std::int64_t number, std::int64_t) {
    for (std::int64_t i = 0; i < number; ++i) benchmark::DoNotOptimize(queue.get());
}

/// range(0) processes put and as many get; each `number` items of range(1) bytes.
template <class Item>
void through_queue(benchmark::State& state, std::int64_t number, const mp::Queue<Item>& queue) {
    const auto each = state.range(0), bytes = state.range(1);
    mp::Pool pool(static_cast<int>(2 * each));
    for (auto _ : state) {
        std::vector<mp::AsyncResult<void>> all;
        for (std::int64_t i = 0; i < each; ++i) {
            all.push_back(pool.apply_async(put_many<Item>, queue, number, bytes));
            all.push_back(pool.apply_async(get_many<Item>, queue, number, bytes));
        }
        for (auto& one : all) one.get();
    }
    state.SetItemsProcessed(state.iterations() * each * number);
    state.SetBytesProcessed(state.iterations() * each * number * bytes);
}

void small_items(benchmark::State& state) { through_queue(state, 200'000, mp::Queue<std::int64_t>()); }
BENCHMARK(small_items)->Args({1, 8})->Args({2, 8})->UseRealTime()->Unit(benchmark::kMillisecond);

void large_items(benchmark::State& state) { through_queue(state, 500, mp::Queue<std::vector<double>>(8)); }
BENCHMARK(large_items)->Args({1, 1 << 20})->Args({2, 1 << 20})->UseRealTime()->Unit(benchmark::kMillisecond);

/// In one process, with nobody who waits: what the calls themselves cost.
void put_and_get(benchmark::State& state) {
    const mp::Queue<std::int64_t> queue;
    for (auto _ : state) {
        queue.put(1);
        benchmark::DoNotOptimize(queue.get());
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(put_and_get);

/// To another process and back.
void round_trip(benchmark::State& state) {
    mp::Pool pool(1);
    const mp::Queue<std::int64_t> there, back;
    auto echo = pool.apply_async(
        [](const mp::Queue<std::int64_t>& in, const mp::Queue<std::int64_t>& out) {
            while (const std::int64_t item = in.get()) out.put(item);
        },
        there, back);
    for (auto _ : state) {
        there.put(1);
        benchmark::DoNotOptimize(back.get());
    }
    there.put(0);
    echo.get();
}
BENCHMARK(round_trip)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
