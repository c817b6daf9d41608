// SPDX-License-Identifier: MIT
// How fast a Loader moves batches of images, beside what its workers make alone, and what the consumer spends
// on it. Usage: loader_rate [ROUNDS]
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <procpool/loader.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>
#include <ranges>
#include <vector>

#include "median.hpp"

namespace mp = procpool;

namespace {

using steady = std::chrono::steady_clock;
constexpr std::size_t side = 224, channels = 3, batch_size = 32;
constexpr int workers = 2;
constexpr std::size_t samples = 4800;

/// Each byte of the image comes from its neighbour, so many times: once takes some 200 us.
struct images {
    unsigned passes;

    void make(std::size_t i, std::uint8_t* image) const {
        std::uint32_t state = static_cast<std::uint32_t>(i) * 2654435761u + 1;
        for (unsigned pass = 0; pass < passes; ++pass)
            for (std::size_t at = 0; at < side * side * channels; ++at) {
                state = state * 1664525u + 1013904223u;
                image[at] = static_cast<std::uint8_t>(state >> 24);
            }
    }

    std::size_t size() const { return samples / passes; }
    void get(std::size_t i, mp::ArrayView<std::uint8_t, 3> image, int& label) const {
        make(i, image.data());
        label = static_cast<int>(i % 10);
    }
};

using batches = mp::SharedArray<std::uint8_t, 5>;

/// The same images without anybody who takes them.
void make_half(images all, const batches& into, std::size_t worker) {
    for (std::size_t i = 0; i < all.size() / workers; ++i) all.make(i, into[worker][i % batch_size].data());
}

double alone(mp::Pool& pool, images all, const batches& into) {
    const auto begin = steady::now();
    pool.map(mp::partial(make_half, all, into), std::views::iota(std::size_t{0}, std::size_t{workers}),
             {.chunksize = 1});
    return static_cast<double>(all.size()) / std::chrono::duration<double>(steady::now() - begin).count();
}

struct measured {
    double rate;           // samples a second
    double consumer_part;  // of a core
};

double cpu_seconds() {
    timespec used;
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) std::abort();
    return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
}

template <class Loader>
measured epoch_of(Loader& loader, std::size_t count) {
    const auto begin = steady::now();
    const double cpu = cpu_seconds();
    std::size_t taken = 0;
    for (const auto& batch : loader) taken += batch.size();
    const double used = cpu_seconds() - cpu;
    const double seconds = std::chrono::duration<double>(steady::now() - begin).count();
    if (taken != count) std::abort();
    return {static_cast<double>(taken) / seconds, used / seconds};
}

void measure(mp::Pool& pool, const batches& own, images all, int rounds) {
    mp::Loader loader(pool, all, {.batch_size = batch_size, .shuffle = true, .seed = 1},
                      mp::sample_array<std::uint8_t>(side, side, channels), mp::sample_array<int>());
    (void)alone(pool, all, own);
    (void)epoch_of(loader, all.size());  // its memory is fresh
    std::vector<double> parts, consumer, rates;
    for (int round = 0; round < rounds; ++round) {
        const double before = alone(pool, all, own);
        const measured with = epoch_of(loader, all.size());
        parts.push_back(with.rate / ((before + alone(pool, all, own)) / 2));
        rates.push_back(with.rate);
        consumer.push_back(with.consumer_part);
    }
    std::printf("| %.2f ms | %.0f | %.3f | %.2f %% |\n", 1000.0 * workers / median(rates), median(rates),
                median(parts), 100 * median(consumer));
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
    mp::Pool pool(workers);
    const batches own({workers, batch_size, side, side, channels});  // a batch for each worker
    std::puts(
        "Batches of 32 images, 224x224x3, by a Loader with 2 workers:\n"
        "| an image takes | images/s | of what the workers alone make | consumer's part of a core |\n"
        "|---|---|---|---|");
    for (const unsigned passes : {1u, 5u}) measure(pool, own, {passes}, rounds);
}
