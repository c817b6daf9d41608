// SPDX-License-Identifier: MIT
// Batches of augmented images for training, from PREFIX_0.png, PREFIX_1.png ...: by a Loader, which workers
// fill in place; by imap, whose images are copied into a batch; and as fast as workers make them for nobody.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <procpool/element_seed.hpp>
#include <procpool/interop/opencv.hpp>
#include <procpool/loader.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>

namespace mp = procpool;

constexpr int side = 224;
constexpr std::size_t batch_size = 32;

// [dataset]
struct Photos {
    std::string prefix;
    std::size_t count = 0;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(prefix, count);
    }

    std::size_t size() const { return count; }
    void get(std::size_t i, mp::ArrayView<std::uint8_t, 3> to, int& label) const {
        const cv::Mat photo = cv::imread(prefix + "_" + std::to_string(i) + ".png");
        if (photo.empty()) throw std::runtime_error("can't read image " + std::to_string(i));
        std::mt19937_64 random(mp::element_seed());  // the same in each run with the same seed
        cv::Mat larger;
        cv::resize(photo, larger, {256, 256});
        const auto anywhere = [&] { return static_cast<int>(random() % (256 - side + 1)); };
        const cv::Mat part = larger(cv::Rect(anywhere(), anywhere(), side, side));
        const cv::Mat place = mp::interop::as_mat(to);  // the sample's place in the batch
        if (random() % 2 == 0)
            cv::flip(part, place, 1);
        else
            part.copyTo(place);
        label = static_cast<int>(i % 10);
    }
};
// [/dataset]

using Images = mp::SharedArray<std::uint8_t, 4>;

/// What a training step would do with a batch: here, look at it.
double look_at(const std::uint8_t* images, const int* labels, std::size_t count) {
    double sum = 0;
    for (std::size_t k = 0; k < count; ++k) sum += images[k * side * side * 3] + labels[k];
    return sum;
}

// [loader]
double by_loader(mp::Pool& pool, const Photos& photos, std::uint64_t epochs) {
    mp::Loader loader(pool, photos, {.batch_size = batch_size, .shuffle = true, .seed = 1, .epochs = epochs},
                      mp::sample_array<std::uint8_t>(side, side, 3), mp::sample_array<int>());
    double sum = 0;
    for (std::uint64_t epoch = 0; epoch < epochs; ++epoch)
        for (const auto& batch : loader) {
            const auto [images, labels] = batch.arrays();
            sum += look_at(images.data(), labels.data(), batch.size());
        }
    return sum;
}
// [/loader]

struct Sample {
    std::vector<std::uint8_t> image;
    int label = 0;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(image, label);
    }
};

Sample make_sample(const Photos& photos, std::size_t i) {
    Sample made{std::vector<std::uint8_t>(side * side * 3), 0};
    photos.get(i, {made.image.data(), {side, side, 3}}, made.label);
    return made;
}

std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t epoch) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::shuffle(order, std::mt19937_64(epoch));
    return order;
}

// [imap]
double by_imap(mp::Pool& pool, const Photos& photos, std::uint64_t epochs) {
    std::vector<std::uint8_t> images(batch_size * side * side * 3);
    std::vector<int> labels(batch_size);
    double sum = 0;
    for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) {
        std::size_t filled = 0;
        for (const Sample& one : pool.imap(mp::partial(make_sample, photos), shuffled(photos.size(), epoch),
                                           {.buffersize = 3 * batch_size})) {
            std::ranges::copy(one.image,
                              images.begin() + static_cast<std::ptrdiff_t>(filled * side * side * 3));
            labels[filled++] = one.label;
            if (filled < batch_size) continue;
            sum += look_at(images.data(), labels.data(), filled);
            filled = 0;
        }
        sum += look_at(images.data(), labels.data(), filled);
    }
    return sum;
}
// [/imap]

void make_for_nobody(const Photos& photos, const Images& places, std::size_t i) {
    int label = 0;
    photos.get(i, places[i % batch_size], label);
}

double for_nobody(mp::Pool& pool, const Photos& photos, std::uint64_t epochs) {
    const Images places({batch_size, std::size_t{side}, std::size_t{side}, std::size_t{3}});
    for (std::uint64_t epoch = 0; epoch < epochs; ++epoch)
        pool.map(mp::partial(make_for_nobody, photos, places), shuffled(photos.size(), epoch));
    return 0;
}

struct Way {
    const char* name;
    double (*run)(mp::Pool&, const Photos&, std::uint64_t);
    std::vector<double> rates = {};
    double cpu = 0, seconds = 0;
};

double median(std::vector<double> values) {
    std::ranges::nth_element(values, values.begin() + std::ssize(values) / 2);
    return values[values.size() / 2];
}

int main(int argc, char** argv) try {
    cv::setNumThreads(1);  // the workers are the parallelism, and the pool forks: no threads before it
    const Photos photos{argc > 1 ? argv[1] : "image",
                        argc > 2 ? static_cast<std::size_t>(std::max(1, std::atoi(argv[2]))) : 200};
    const std::uint64_t epochs = argc > 3 ? static_cast<std::uint64_t>(std::max(1, std::atoi(argv[3]))) : 2;
    const int rounds = argc > 4 ? std::max(1, std::atoi(argv[4])) : 1;

    mp::Pool pool;
    std::array ways{Way{"for nobody", for_nobody}, Way{"Loader", by_loader}, Way{"imap", by_imap}};
    for (int round = 0; round < rounds; ++round)
        for (Way& way : ways) {
            const auto start = std::chrono::steady_clock::now();
            const std::clock_t cpu = std::clock();
            way.run(pool, photos, epochs);
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
            way.cpu += static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
            way.seconds += took.count();
            way.rates.push_back(static_cast<double>(photos.size() * epochs) / took.count());
        }
    for (const Way& way : ways) {
        std::vector<double> ratios;
        for (std::size_t round = 0; round < way.rates.size(); ++round)
            ratios.push_back(way.rates[round] / ways[0].rates[round]);
        std::printf("%s: %.0f images/s, %.2f of for nobody, the program takes %.1f %% of a CPU\n", way.name,
                    median(way.rates), median(ratios), 100 * way.cpu / way.seconds);
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "train_loader: %s\n", error.what());
    return 1;
}
