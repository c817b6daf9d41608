// SPDX-License-Identifier: MIT
// Images of noise, written with all CPUs.
//
//   wrapper = partial(write_one_file, size_x, size_y, prefix)
//   with Pool() as pool: pool.map(wrapper, range(n))
#include <filesystem>
#include <iostream>
#include <ranges>

#include <procpool/partial.hpp>
#include <procpool/pool.hpp>

#include "noise_images.hpp"
#include "start_method.hpp"

namespace mp = procpool;

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    cv::setNumThreads(1);  // the workers are the parallelism
    constexpr int n = 200;
    const ImageFolder folder;
    mp::Pool pool;
    pool.map(mp::partial(write_one_file, 100, 100, folder.prefix()), std::views::iota(0, n));
    int written = 0;
    for (int i = 0; i < n; ++i) written += std::filesystem::exists(file_name(folder.prefix(), i)) ? 1 : 0;
    std::cout << written << " images, the last one " << read_one_file(folder.prefix(), n - 1).size() << "\n";
}
