// SPDX-License-Identifier: MIT
// Images read into one array, each worker in place: no image is sent anywhere.
//
//   array = np.frombuffer(RawArray(c_uint8, n * 100 * 100)).reshape(n, 100, 100)     # a global variable
//   def load_one(files, i): array[i] = imread(files[i])
//   with Pool() as pool: pool.map(partial(load_one, files), range(n))
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <ranges>
#include <string>

#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>

#include "noise_images.hpp"
#include "start_method.hpp"

namespace mp = procpool;

using Images = mp::SharedArray<std::uint8_t, 3>;

/// The array is an argument: no global variable is needed, and none would do.
void load_one(const Images& images, const std::string& prefix, int i) {
    const cv::Mat image = read_one_file(prefix, i);
    std::copy(image.begin<std::uint8_t>(), image.end<std::uint8_t>(), images[i].span().begin());
}

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    cv::setNumThreads(1);
    constexpr int n = 200;
    const ImageFolder folder;
    mp::Pool pool;
    pool.map(mp::partial(write_one_file, 100, 100, folder.prefix()), std::views::iota(0, n));

    const Images images({n, 100, 100});
    pool.map(mp::partial(load_one, images, folder.prefix()), std::views::iota(0, n));

    const Images serial({n, 100, 100});
    for (int i = 0; i < n; ++i) load_one(serial, folder.prefix(), i);
    const bool equal = std::ranges::equal(images.span(), serial.span());
    std::cout << n << " images " << (equal ? "equal" : "DIFFER FROM") << " those read serially\n";
}
