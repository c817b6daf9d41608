// SPDX-License-Identifier: MIT
// Workers prepare batches while the consumer trains: in order, and never more than a few ahead.
//
//   for x, y in generator: model.train_on_batch(x, y)        # fit_generator(workers=2, ...)
//   # patched: prefetch = pool.imap(augmented_batch, batch_numbers())
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <random>
#include <ranges>
#include <vector>

#include <procpool/pool.hpp>
#include <procpool/thread_pool.hpp>

#include "start_method.hpp"

namespace mp = procpool;

struct Batch {
    int number = 0;
    std::vector<float> pixels;  // 1 MiB

    template <class Archive>
    void serialize(Archive& archive) {
        archive(number, pixels);
    }
};

/// Noise in place of a flipped and turned image. The batch's number is the seed: the same batches come
/// from any number of workers.
Batch augmented_batch(int number) {
    Batch batch{number, std::vector<float>(1 << 18)};
    std::minstd_rand random(static_cast<std::uint32_t>(number) + 1);
    for (float& pixel : batch.pixels) pixel = static_cast<float>(random() % 256) / 255.0F;
    return batch;
}

/// "Trains": the mean of the batch's pixels. @return whether the batches came in order
template <class PoolType>
bool train(PoolType& pool, int steps) {
    int pulled = 0, most_ahead = 0, step = 0;
    auto numbers = std::views::iota(0) | std::views::transform([&pulled](int i) { return ++pulled, i; });
    bool in_order = true;
    double loss = 0;
    for (const Batch& batch : pool.imap(augmented_batch, numbers, {.buffersize = 6})) {
        in_order = in_order && batch.number == step;
        most_ahead = std::max(most_ahead, pulled - step);
        loss += std::accumulate(batch.pixels.begin(), batch.pixels.end(), 0.0) /
                static_cast<double>(batch.pixels.size());
        if (++step == steps) break;  // the rest of an endless stream isn't made
    }
    std::cout << step << " batches " << (in_order ? "in order" : "IN DISORDER") << ", at most " << most_ahead
              << " ahead, mean " << loss / step << "\n";
    return in_order;
}

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    mp::Pool processes(2);
    mp::ThreadPool threads(2);  // one word else
    return train(processes, 50) && train(threads, 50) ? 0 : 1;
}
