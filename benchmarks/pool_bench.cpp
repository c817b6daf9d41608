// SPDX-License-Identifier: MIT
// What the pool costs a task, next to what the same traffic costs through pipes by hand.
#include <benchmark/benchmark.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <procpool/pool.hpp>
#include <vector>

#include "work.hpp"

namespace mp = procpool;

namespace {

constexpr int workers = 2;

// ---- tasks

std::int64_t same(std::int64_t x) { return x; }

std::vector<std::int64_t> numbers(std::int64_t count) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

void count_items(benchmark::State& state, std::int64_t per_iteration) {
    state.SetItemsProcessed(state.iterations() * per_iteration);
}

// ---- the pool

void map_no_op_chunksize_1(benchmark::State& state) {
    mp::Pool pool(workers);
    const auto inputs = numbers(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(pool.map(same, inputs, {.chunksize = 1}));
    count_items(state, state.range(0));
}
BENCHMARK(map_no_op_chunksize_1)->Arg(1'000)->Arg(200'000)->UseRealTime();

void map_no_op_default_chunks(benchmark::State& state) {
    mp::Pool pool(workers);
    const auto inputs = numbers(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(pool.map(same, inputs));
    count_items(state, state.range(0));
}
BENCHMARK(map_no_op_default_chunks)->Arg(1'000)->Arg(200'000)->UseRealTime();

/// Two children that share the work and say nothing: what the machine has to give.
void work_in_children(const std::vector<std::int64_t>& inputs) {
    std::array<pid_t, workers> children{};
    for (std::size_t child = 0; child < children.size(); ++child) {
        children[child] = ::fork();
        if (children[child] != 0) continue;
        for (std::size_t i = child; i < inputs.size(); i += workers)
            benchmark::DoNotOptimize(work(inputs[i]));
        ::_exit(0);
    }
    for (const pid_t child : children) ::waitpid(child, nullptr, 0);
}

/// 100 ms of work. Counter "efficiency": serial time / (workers * parallel time), measured in turns;
/// "by_hand" is that of two children that need nothing from anybody.
void map_chunksize_1(benchmark::State& state) {
    mp::Pool pool(workers);
    const std::vector<std::int64_t> inputs(static_cast<std::size_t>(100'000 / state.range(0)),
                                           rounds_for(seconds(static_cast<double>(state.range(0)) * 1e-6)));
    seconds serial{0};
    seconds parallel{0};
    seconds by_hand{0};
    for (auto _ : state) {
        state.PauseTiming();
        auto start = std::chrono::steady_clock::now();
        for (const std::int64_t rounds : inputs) benchmark::DoNotOptimize(work(rounds));
        serial += since(start);
        start = std::chrono::steady_clock::now();
        work_in_children(inputs);
        by_hand += since(start);
        state.ResumeTiming();
        start = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(pool.map(work, inputs, {.chunksize = 1}));
        parallel += since(start);
    }
    count_items(state, static_cast<std::int64_t>(inputs.size()));
    state.counters["efficiency"] = serial / (workers * parallel);
    state.counters["by_hand"] = serial / (workers * by_hand);
}
BENCHMARK(map_chunksize_1)->ArgName("task_us")->Arg(10)->Arg(100)->Arg(1'000)->UseRealTime();

void apply_round_trip(benchmark::State& state) {
    mp::Pool pool(workers);
    for (auto _ : state) benchmark::DoNotOptimize(pool.apply(same, std::int64_t{1}));
    count_items(state, 1);
}
BENCHMARK(apply_round_trip)->UseRealTime();

void apply_async_burst(benchmark::State& state) {
    mp::Pool pool(workers);
    std::vector<mp::AsyncResult<std::int64_t>> results;
    for (auto _ : state) {
        results.clear();
        for (std::int64_t i = 0; i < state.range(0); ++i) results.push_back(pool.apply_async(same, i));
        for (auto& result : results) benchmark::DoNotOptimize(result.get());
    }
    count_items(state, state.range(0));
}
BENCHMARK(apply_async_burst)->Arg(1'000)->Arg(10'000)->UseRealTime();

void imap_no_op(benchmark::State& state) {
    mp::Pool pool(workers);
    const auto inputs = numbers(state.range(0));
    for (auto _ : state)
        for (const std::int64_t result : pool.imap(same, inputs, {.chunksize = state.range(1)}))
            benchmark::DoNotOptimize(result);
    count_items(state, state.range(0));
}
BENCHMARK(imap_no_op)->ArgNames({"", "chunksize"})->Args({50'000, 1})->Args({200'000, 100})->UseRealTime();

void imap_unordered_no_op(benchmark::State& state) {
    mp::Pool pool(workers);
    const auto inputs = numbers(state.range(0));
    for (auto _ : state)
        for (const std::int64_t result : pool.imap_unordered(same, inputs, {.chunksize = 1}))
            benchmark::DoNotOptimize(result);
    count_items(state, state.range(0));
}
BENCHMARK(imap_unordered_no_op)->Arg(50'000)->UseRealTime();

/// So many elements at most are on their way; the same by hand is pipe_echo.
void imap_by_window(benchmark::State& state) {
    mp::Pool pool(workers);
    const auto inputs = numbers(50'000);
    for (auto _ : state)
        for (const std::int64_t result :
             pool.imap(same, inputs, {.chunksize = 1, .buffersize = state.range(0)}))
            benchmark::DoNotOptimize(result);
    count_items(state, 50'000);
}
BENCHMARK(imap_by_window)->ArgName("window")->Arg(1)->Arg(8)->Arg(64)->Arg(1'024)->UseRealTime();

void pool_start_map_stop(benchmark::State& state) {
    const auto inputs = numbers(100);
    for (auto _ : state) {
        mp::Pool pool(workers);
        benchmark::DoNotOptimize(pool.map(same, inputs));
    }
}
BENCHMARK(pool_start_map_stop)->Unit(benchmark::kMillisecond)->UseRealTime();

// ---- by hand

/// A forked child that sends back each message, and its two pipes.
class echo_process {
public:
    using message = std::int64_t;

    explicit echo_process(std::size_t batch) {
        std::array<int, 2> down{};
        std::array<int, 2> up{};
        if (::pipe(down.data()) != 0 || ::pipe(up.data()) != 0) std::abort();
        pid_ = ::fork();
        if (pid_ < 0) std::abort();
        if (pid_ == 0) {
            ::close(down[1]);
            ::close(up[0]);
            std::vector<message> messages(batch);
            while (const std::size_t bytes = read_messages(down[0], messages))
                write_bytes(up[1], messages.data(), bytes);
            ::_exit(0);
        }
        ::close(down[0]);
        ::close(up[1]);
        to_child_ = down[1];
        from_child_ = up[0];
    }
    echo_process(const echo_process&) = delete;
    echo_process& operator=(const echo_process&) = delete;
    ~echo_process() {
        ::close(to_child_);
        ::close(from_child_);
        ::waitpid(pid_, nullptr, 0);
    }

    void send(const std::vector<message>& messages) {
        write_bytes(to_child_, messages.data(), size_of(messages));
    }
    void receive(std::vector<message>& messages) {
        auto* at = reinterpret_cast<char*>(messages.data());
        for (std::size_t left = size_of(messages); left > 0;) {
            const auto n = ::read(from_child_, at, left);
            if (n <= 0) std::abort();
            at += n;
            left -= static_cast<std::size_t>(n);
        }
    }

private:
    static std::size_t size_of(const std::vector<message>& messages) {
        return messages.size() * sizeof(message);
    }
    static std::size_t read_messages(int from, std::vector<message>& messages) {
        const auto n = ::read(from, messages.data(), size_of(messages));
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    static void write_bytes(int to, const message* from, std::size_t bytes) {
        if (::write(to, from, bytes) != static_cast<ssize_t>(bytes)) std::abort();
    }

    pid_t pid_ = 0;
    int to_child_ = -1;
    int from_child_ = -1;
};

/// A window of messages goes out in one write and comes back; one message is a round trip.
void pipe_echo(benchmark::State& state) {
    const auto window = static_cast<std::size_t>(state.range(0));
    echo_process child(window);
    std::vector<std::int64_t> messages(window, 1);
    for (auto _ : state) {
        child.send(messages);
        child.receive(messages);
    }
    count_items(state, state.range(0));
}
BENCHMARK(pipe_echo)->ArgName("window")->Arg(1)->Arg(64)->Arg(1'024)->UseRealTime();

/// The next window is sent before the answer to the last one is read, so that the child never waits.
void pipe_echo_ahead(benchmark::State& state) {
    const auto window = static_cast<std::size_t>(state.range(0));
    echo_process child(window);
    std::vector<std::int64_t> messages(window, 1);
    child.send(messages);
    for (auto _ : state) {
        child.send(messages);
        child.receive(messages);
    }
    child.receive(messages);
    count_items(state, state.range(0));
}
BENCHMARK(pipe_echo_ahead)->ArgName("window")->Arg(1)->Arg(64)->Arg(1'024)->UseRealTime();

void fork_echo_wait(benchmark::State& state) {
    for (auto _ : state) {
        std::array<echo_process, workers> children{echo_process(1), echo_process(1)};
        std::vector<std::int64_t> message(1, 1);
        for (auto& child : children) child.send(message);
        for (auto& child : children) child.receive(message);
    }
}
BENCHMARK(fork_echo_wait)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
