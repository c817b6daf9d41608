// SPDX-License-Identifier: MIT
// What figures.py measures: one way to do one thing with large data. Prints seconds; what waits for a line of
// input has its memory looked at meanwhile.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

namespace mp = procpool;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::size_t filled = 1024 * mib;
constexpr std::size_t rows = 64;

using clock_type = std::chrono::steady_clock;

void print_seconds_since(clock_type::time_point start) {
    std::printf("%.6f\n", std::chrono::duration<double>(clock_type::now() - start).count());
    std::fflush(stdout);
}

void wait_for_line() {
    while (std::getchar() != '\n')
        if (std::feof(stdin)) return;
}

std::byte* shared_memory(std::size_t size) {
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return static_cast<std::byte*>(memory);
}

// ---- echo: for each line "BYTES COUNT" of input, so many arrays of so many bytes there and back

using numbers = std::vector<double>;

template <class Echo>
void serve(Echo echo) {
    std::size_t bytes = 0, count = 0;
    while (std::scanf("%zu %zu", &bytes, &count) == 2) echo(bytes, count);
}

void echo_by_pool() {
    mp::Pool pool(2);
    const auto same = [](numbers values) { return values; };
    serve([&](std::size_t bytes, std::size_t count) {
        const std::vector<numbers> inputs(count, numbers(bytes / sizeof(double), 1.0));
        pool.map(same, inputs, {.chunksize = 1});  // takes the memory that the next one finds
        const auto start = clock_type::now();
        const std::vector<numbers> results = pool.map(same, inputs, {.chunksize = 1});
        print_seconds_since(start);
        if (results.back() != inputs.back()) std::abort();
    });
}

/// One process at the other end, one array at a time: into shared memory, out of it, into it, out of it.
void echo_by_hand() {
    serve([](std::size_t bytes, std::size_t count) {
        std::byte* const memory = shared_memory(2 * bytes);
        std::array<int, 2> down{}, up{};
        if (::pipe(down.data()) != 0 || ::pipe(up.data()) != 0) std::abort();
        const std::unique_ptr<std::byte[]> own(new std::byte[bytes]);
        std::memset(own.get(), 1, bytes);
        char token = 0;
        if (::fork() == 0) {
            ::close(down[1]);
            std::memset(own.get(), 2, bytes);  // its pages are the child's own from here on
            while (::read(down[0], &token, 1) == 1) {
                std::memcpy(own.get(), memory, bytes);
                std::memcpy(memory + bytes, own.get(), bytes);
                if (::write(up[1], &token, 1) != 1) break;
            }
            ::_exit(EXIT_SUCCESS);
        }
        const auto echo = [&] {
            std::memcpy(memory, own.get(), bytes);
            if (::write(down[1], &token, 1) != 1 || ::read(up[0], &token, 1) != 1) std::abort();
            std::memcpy(own.get(), memory + bytes, bytes);
        };
        echo();
        const auto start = clock_type::now();
        for (std::size_t i = 0; i < count; ++i) echo();
        print_seconds_since(start);
        for (const int file : {down[0], down[1], up[0], up[1]}) ::close(file);
        ::wait(nullptr);
        ::munmap(memory, 2 * bytes);
    });
}

// ---- filling an array of 1 GiB from two processes

void fill_by_pool() {
    mp::Pool pool(2);
    const auto fill = [](const mp::SharedArray<std::uint8_t, 2>& array, int i) {
        const auto row = array[i].span();
        std::memset(row.data(), 1, row.size());
    };
    const auto start = clock_type::now();
    const mp::SharedArray<std::uint8_t, 2> array({rows, filled / rows});
    pool.map(mp::partial(fill, array), std::views::iota(0, int{rows}));
    print_seconds_since(start);
    wait_for_line();
}

void fill_by_hand() {
    const auto start = clock_type::now();
    std::byte* const memory = shared_memory(filled);
    for (std::size_t half = 0; half < 2; ++half)
        if (::fork() == 0) {
            std::memset(memory + half * (filled / 2), 1, filled / 2);
            ::_exit(EXIT_SUCCESS);
        }
    while (::wait(nullptr) > 0) {
    }
    print_seconds_since(start);
    wait_for_line();
}

// ---- eight workers that all read an array of 2 GiB

void read_by_eight() {
    mp::Pool pool(8);
    const mp::SharedArray<double, 1> array({2048 * mib / sizeof(double)});
    array.fill(0.5);
    // All stay until they were looked at: how many have read it, and whether they may go.
    const mp::SharedArray<int, 1> state({2});
    const auto sum = [](const mp::SharedArray<const double, 1>& all, const mp::SharedArray<int, 1>& held,
                        int) {
        const double result = std::accumulate(all.begin(), all.end(), 0.0);
        ++std::atomic_ref(held[0]);
        while (std::atomic_ref(held[1]) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return result;
    };
    const auto start = clock_type::now();
    auto sums =
        pool.map_async(mp::partial(sum, mp::share(array), state), std::views::iota(0, 8), {.chunksize = 1});
    while (std::atomic_ref(state[0]) < 8) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    print_seconds_since(start);
    wait_for_line();
    ++std::atomic_ref(state[1]);
    for (const double one : sums.get())
        if (one != 0.5 * static_cast<double>(array.size())) std::abort();
}

}  // namespace

int main(int argc, char** argv) {
    const std::map<std::string, std::function<void()>> arms{{"echo_by_pool", echo_by_pool},
                                                            {"echo_by_hand", echo_by_hand},
                                                            {"fill_by_pool", fill_by_pool},
                                                            {"fill_by_hand", fill_by_hand},
                                                            {"read_by_eight", read_by_eight}};
    const auto arm = arms.find(argc == 2 ? argv[1] : "");
    if (arm == arms.end()) return 2;
    arm->second();
}
