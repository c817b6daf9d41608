// SPDX-License-Identifier: MIT
// Reads PREFIX_0.png, PREFIX_1.png ... into one array (n, rows, cols, 3): serially, in worker processes that
// write into the array in place, and in worker processes that return the images.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <procpool/interop/opencv.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>

namespace mp = procpool;

using Images = mp::SharedArray<std::uint8_t, 4>;
using Shape = std::array<std::size_t, 4>;

// [ways]
cv::Mat read_image(const std::string& prefix, int i) {
    const std::string file = prefix + "_" + std::to_string(i) + ".png";
    cv::Mat image = cv::imread(file);
    if (image.empty()) throw std::runtime_error("can't read " + file);
    return image;
}

void put(const cv::Mat& image, const Images& images, int i) {
    const cv::Mat place = mp::interop::as_mat(images[i]);  // const: OpenCV refuses an image of another size
    image.copyTo(place);
}

void read_one(const Images& images, const std::string& prefix, int i) {
    put(read_image(prefix, i), images, i);
}

void in_place(mp::Pool& pool, const Images& images, const std::string& prefix,
              const std::vector<int>& numbers) {
    pool.map(mp::partial(read_one, images, prefix), numbers);
}

void returned(mp::Pool& pool, const Images& images, const std::string& prefix,
              const std::vector<int>& numbers) {
    const std::vector<cv::Mat> all = pool.map(mp::partial(read_image, prefix), numbers);
    for (const int i : numbers) put(all[static_cast<std::size_t>(i)], images, i);
}
// [/ways]

/// Makes an array, lets `fill` fill it, and prints how long both took.
template <class Fill>
Images timed(const char* way, const Shape& shape, Fill fill) {
    const auto start = std::chrono::steady_clock::now();
    Images images(shape);
    fill(images);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%s: %zu images of %zux%zu in %.4f s\n", way, shape[0], shape[2], shape[1], seconds.count());
    return images;
}

int main(int argc, char** argv) try {
    cv::setNumThreads(1);  // the workers are the parallelism, and the pool forks: no threads before it
    const std::string prefix = argc > 1 ? argv[1] : "image";
    const int n = argc > 2 ? std::atoi(argv[2]) : 2000;
    const std::string only = argc > 3 ? argv[3] : "";
    if (n < 1 || argc > 4 || prefix.starts_with("-")) {
        std::fputs("usage: image_array [PREFIX [N [serial|in_place|returned]]]\n", stderr);
        return 2;
    }
    const cv::Mat first = read_image(prefix, 0);
    const Shape shape{static_cast<std::size_t>(n), static_cast<std::size_t>(first.rows),
                      static_cast<std::size_t>(first.cols), 3};

    std::vector<int> numbers(static_cast<std::size_t>(n));
    std::iota(numbers.begin(), numbers.end(), 0);
    std::vector<Images> arrays;
    if (only.empty() || only == "serial")
        arrays.push_back(timed("serial", shape, [&](const Images& images) {
            for (const int i : numbers) read_one(images, prefix, i);
        }));
    if (only != "serial") {
        mp::Pool pool;
        for (const auto& way : {std::pair{"in_place", &in_place}, std::pair{"returned", &returned}})
            if (only.empty() || only == way.first)
                arrays.push_back(timed(way.first, shape, [&](const Images& images) {
                    way.second(pool, images, prefix, numbers);
                }));
    }

    for (const Images& images : arrays)
        if (images != arrays.front()) throw std::runtime_error("the arrays differ");
    if (arrays.size() > 1) std::puts("the arrays are equal");
} catch (const std::exception& error) {
    std::fprintf(stderr, "image_array: %s\n", error.what());
    return 1;
}
