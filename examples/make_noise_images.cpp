// SPDX-License-Identifier: MIT
// Writes image_0.png ... image_1999.png, 100x100 random noise, with all CPUs: input for image_batch.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>

namespace mp = procpool;

/// Writes PREFIX_i.png. The seed is the index, so the same noise comes whichever worker makes it.
void write_one(int size_x, int size_y, const std::string& prefix, int i) {
    cv::RNG random((static_cast<std::uint64_t>(i) + 1) * 0x9e3779b97f4a7c15);
    cv::Mat image(size_y, size_x, CV_8UC3);
    random.fill(image, cv::RNG::UNIFORM, 0, 256);
    const std::string file = prefix + "_" + std::to_string(i) + ".png";
    if (!cv::imwrite(file, image)) throw std::runtime_error("can't write " + file);
}

int main(int argc, char** argv) try {
    cv::setNumThreads(1);  // the workers are the parallelism, and the pool forks: no threads before it
    const std::string prefix = argc > 1 ? argv[1] : "image";
    const int n = argc > 2 ? std::atoi(argv[2]) : 2000;
    if (n < 1 || argc > 3 || prefix.starts_with("-")) {
        std::fputs("usage: make_noise_images [PREFIX [N]]\n", stderr);
        return 2;
    }
    std::vector<int> numbers(static_cast<std::size_t>(n));
    std::iota(numbers.begin(), numbers.end(), 0);
    mp::Pool pool;
    pool.map(mp::partial(write_one, 100, 100, prefix), numbers);
    std::printf("%s_0.png ... %s_%d.png\n", prefix.c_str(), prefix.c_str(), n - 1);
} catch (const std::exception& error) {
    std::fprintf(stderr, "make_noise_images: %s\n", error.what());
    return 1;
}
