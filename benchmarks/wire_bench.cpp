// SPDX-License-Identifier: MIT
// What it costs to turn values, callables and results into bytes and back, next to copying as many bytes, and
// to cereal's own archive.
#include <benchmark/benchmark.h>
#include "procpool/detail/wire/frame_reader.hpp"

#include <cereal/archives/binary.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/vector.hpp>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

namespace {

namespace call = procpool::detail::call;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;
namespace mp = procpool;

using number = std::int64_t;
using record = std::tuple<int, std::string, double>;

constexpr std::size_t elements = 10'000;

template <class T>
std::vector<T> values() {
    if constexpr (std::is_same_v<T, number>) {
        std::vector<number> all(elements);
        std::iota(all.begin(), all.end(), 0);
        return all;
    } else {
        return {elements, record{1, "a name of some length", 0.5}};
    }
}

void count(benchmark::State& state) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(elements));
}

// ---- values

template <class T>
scheduler::block encoded(const std::vector<T>& all) {
    call::range_encoder encoder(all.begin(), all.end(), nullptr);
    return encoder.next(elements);
}

template <class T>
void encode(benchmark::State& state) {
    const auto all = values<T>();
    for (auto _ : state) benchmark::DoNotOptimize(encoded(all));
    count(state);
}
BENCHMARK(encode<number>);
BENCHMARK(encode<record>);

template <class T>
void decode(benchmark::State& state) {
    const scheduler::block block = encoded(values<T>());
    for (auto _ : state) {
        call::remote_job_of<T, call::all_results<T>, std::vector<T>> map(scheduler::task_definition{}, false);
        map.results.expect(elements);
        map.accept(0, elements, block.stride, block.payload());
        benchmark::DoNotOptimize(map.value(0));
    }
    count(state);
}
BENCHMARK(decode<number>);
BENCHMARK(decode<record>);

/// The least that can be done with the same bytes.
template <class T>
void copy_encoded(benchmark::State& state) {
    const scheduler::block block = encoded(values<T>());
    std::vector<std::byte> copy(block.payload().size());
    for (auto _ : state) {
        std::memcpy(copy.data(), block.payload().data(), copy.size());
        benchmark::ClobberMemory();
    }
    count(state);
}
BENCHMARK(copy_encoded<number>);
BENCHMARK(copy_encoded<record>);

/// An archive for each element, as whoever sends elements one by one would have.
template <class T>
void cereal_stock(benchmark::State& state) {
    const auto all = values<T>();
    for (auto _ : state)
        for (const T& one : all) {
            std::ostringstream text;
            cereal::BinaryOutputArchive archive(text);
            archive(one);
            benchmark::DoNotOptimize(text.str());
        }
    count(state);
}
BENCHMARK(cereal_stock<number>);
BENCHMARK(cereal_stock<record>);

// ---- callables

number same(number x) { return x; }
number plus(number x, number y) { return x + y; }

template <class F>
void encode_callable(benchmark::State& state, F function) {
    for (auto _ : state) benchmark::DoNotOptimize(call::remote_task<F, number>::define(function));
}
BENCHMARK_CAPTURE(encode_callable, function, &same);
BENCHMARK_CAPTURE(encode_callable, closure, [factor = number{3}](number x) { return factor * x; });
BENCHMARK_CAPTURE(encode_callable, partial, mp::partial(&plus, number{1}));

/// As many bytes into fresh memory.
void allocate_and_copy(benchmark::State& state) {
    const auto definition = call::remote_task<number (*)(number), number>::define(&same);
    for (auto _ : state) {
        const auto copy = std::make_unique_for_overwrite<std::byte[]>(definition.bytes.size());
        std::memcpy(copy.get(), definition.bytes.data(), definition.bytes.size());
        benchmark::DoNotOptimize(copy.get());
    }
}
BENCHMARK(allocate_and_copy);

// ---- frames of results: many with one value each, or one with all

void read_frames(benchmark::State& state) {
    const auto in_each = static_cast<std::size_t>(state.range(0));
    const auto all = values<number>();
    wire::buffer bytes;
    for (std::size_t i = 0; i < elements; i += in_each) {
        bytes.append_value(
            wire::result_header{.sequence = i, .stride = sizeof(number), .length = in_each * sizeof(number)});
        bytes.append(all.data() + i, in_each * sizeof(number));
    }
    for (auto _ : state) {
        wire::frame_reader reader;
        std::memcpy(reader.room(bytes.size()), bytes.data(), bytes.size());
        reader.filled(bytes.size());
        while (const auto frame = reader.next()) benchmark::DoNotOptimize(frame->payload.data());
    }
    count(state);
}
BENCHMARK(read_frames)->ArgName("values")->Arg(1)->Arg(100)->Arg(elements);

}  // namespace

BENCHMARK_MAIN();
