// SPDX-License-Identifier: MIT
// Pools: their births by each start method, their calls, deaths, output and limits.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "feature.hpp"
#include "procpool/pool.hpp"

namespace faults {
namespace features_of_pools {
namespace {

namespace mp = procpool;
using mp::start_method;
using namespace std::chrono_literals;

int prepared = 0;

void prepare(int value) { prepared = value; }
int prepared_and(int x) { return prepared + x; }
long cube(long x) { return x * x * x; }
long dies_at_3(long x) {
    if (x == 3) ::raise(SIGKILL);
    return cube(x);
}
std::string throws_at_2(int x) {
    if (x == 2) throw std::domain_error("two");
    return std::to_string(x);
}

std::vector<long> cubes(long count) {
    std::vector<long> all;
    for (long x = 0; x < count; ++x) all.push_back(cube(x));
    return all;
}

template <start_method How>
void pool() {
    mp::Pool pool({.processes = 2, .start_method = How}, prepare, 7);
    attempts attempt;
    attempt([&] { expect(pool.map(cube, std::views::iota(0L, 50L)) == cubes(50), "map"); });
    attempt([&] {
        std::vector<mp::AsyncResult<int>> calls;
        for (int x = 0; x < 5; ++x) calls.push_back(pool.apply_async(prepared_and, x));
        for (int x = 0; x < 5; ++x) expect(calls[static_cast<std::size_t>(x)].get() == 7 + x, "apply_async");
    });
    attempt([&] {
        const auto outcomes = pool.try_map(dies_at_3, std::views::iota(0L, 6L), {.chunksize = 1});
        expect(outcomes.size() == 6, "try_map: as many outcomes as inputs");
        expect(!outcomes[3].has_value(), "try_map: who dies has no value");
        for (std::size_t i = 0; i < outcomes.size(); ++i)
            if (outcomes[i].has_value())
                expect(outcomes[i].value() == cube(static_cast<long>(i)), "try_map: a value");
        for (std::size_t i = 0; i < outcomes.size(); ++i)
            if (i != 3) (void)outcomes[i].value();
    });
    attempt([&] {
        long next = 0;
        for (const long x : pool.imap(cube, std::views::iota(0L, 20L))) expect(x == cube(next++), "imap");
        expect(next == 20, "imap: as many results as inputs");
    });
    attempt([&] {
        pool.close();
        pool.join();
    });
    attempt.finish();
}

/// Most is left to the destructor.
void exceptions() {
    mp::Pool pool({.processes = 1, .start_method = start_method::fork});
    attempts attempt;
    attempt([&] {
        const auto outcomes = pool.try_map(throws_at_2, std::views::iota(0, 4));
        for (std::size_t i = 0; i < 4; ++i) {
            if (i != 2) expect(outcomes[i].value() == std::to_string(i), "a value");
            expect(i != 2 || !outcomes[i].has_value(), "an exception");
        }
    });
    attempt([&] {
        auto results = pool.imap_unordered(cube, std::views::iota(0L));
        (void)results.next();
    });
    std::vector<long> later;
    int called = 0;
    attempt([&] {
        mp::AsyncResult<std::vector<long>> call = pool.map_async(cube, std::views::iota(0L, 10L));
        call.callback([&](const std::vector<long>&) { ++called; }).error_callback([&](std::exception_ptr) {
            ++called;
        });
        expect(call.get() == cubes(10), "map_async");
        expect(called == 1, "its callback");
    });
    attempt.finish();
}

void initializer_throws() {
    mp::Pool pool({.processes = 2, .start_method = start_method::fork},
                  [] { throw std::runtime_error("not today"); });
    try {
        pool.map(cube, std::views::iota(0L, 3L));
        throw wrong_result{"a task ran in a worker that was not set up"};
    } catch (const std::exception&) {  // by the initializer, or by the fault
    }
}

void replaced_workers() {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 2, .start_method = start_method::fork});
    expect(pool.map(cube, std::views::iota(0L, 8L), {.chunksize = 1}) == cubes(8), "map");
    pool.close();
    pool.join();
}

void pause_for_ever() {
    for (;;) ::pause();
}

void timeouts() {
    mp::Pool pool({.processes = 2, .start_method = start_method::fork, .terminate_grace = 50ms});
    attempts attempt;
    attempt([&] {
        const auto outcomes = pool.try_map(
            [](int x) {
                if (x == 1) pause_for_ever();
                return x;
            },
            std::vector{0, 1, 2}, {.chunksize = 1, .timeout = 30ms});
        expect(!outcomes[1].has_value(), "what never ends has no value");
    });
    attempt([&] {
        auto call = pool.apply_async(pause_for_ever);
        call.cancel();
        try {
            call.get();
            throw wrong_result{"a cancelled call has no value"};
        } catch (const mp::TaskCancelled&) {
        }
    });
    attempt([&] { expect(pool.apply(cube, 3L) == 27, "apply, after all that"); });
    pool.terminate();
    pool.join();
    attempt.finish();
}

void print_lines(int x) {
    std::printf("line %d of standard output\n", x);
    std::fflush(stdout);
    std::fprintf(stderr, "line %d of standard error\n", x);
    if (x == 3) ::raise(SIGKILL);
}

void output() {
    mp::Pool pool({.processes = 2,
                   .start_method = start_method::fork,
                   .output = mp::worker_output::prefixed,
                   .stderr_tail = 1000});
    attempts attempt;
    attempt([&] {
        const auto outcomes = pool.try_map(print_lines, std::vector{0, 1, 2, 3, 4}, {.chunksize = 1});
        expect(!outcomes[3].has_value(), "who dies has no value");
        for (const std::size_t i : {0u, 1u, 2u, 4u}) outcomes[i].value();
    });
    attempt([&] {
        pool.close();
        pool.join();
    });
    attempt.finish();
}

void limits() {
    mp::Pool pool(
        {.processes = 2,
         .start_method = start_method::fork,
         .limits = {.memory = 256u << 20, .memory_growth = 64u << 20, .nice = 1, .pin_to_cpu = true}});
    expect(pool.map(cube, std::views::iota(0L, 10L)) == cubes(10), "map");
    pool.close();
    pool.join();
}

/// Where descriptors get the numbers of the standard streams.
void closed_streams() {
    struct without_input {
        without_input() { ::close(STDIN_FILENO); }
        ~without_input() { (void)std::freopen("/dev/null", "r", stdin); }
    } const now;
    mp::Pool pool({.processes = 1, .start_method = start_method::fork});
    expect(pool.map(cube, std::views::iota(0L, 4L)) == cubes(4), "map");
    const int read = pool.apply([] { return std::getchar(); });
    expect(read == EOF, "the standard input of workers is empty");
}

constexpr std::array features{feature{"pool_fork", pool<start_method::fork>},
                              feature{"pool_forkserver", pool<start_method::forkserver>},
                              feature{"pool_spawn", pool<start_method::spawn>},
                              feature{"exceptions", exceptions},
                              feature{"initializer_throws", initializer_throws},
                              feature{"replaced_workers", replaced_workers},
                              feature{"timeouts", timeouts},
                              feature{"output", output},
                              feature{"limits", limits},
                              feature{"closed_streams", closed_streams}};

}  // namespace
}  // namespace features_of_pools

std::span<const feature> pool_features() { return features_of_pools::features; }

}  // namespace faults
