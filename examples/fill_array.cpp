// SPDX-License-Identifier: MIT
// Worker processes fill one shared array in place: each task its own image, nothing is sent back.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <ranges>

#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/shared_array.hpp>

namespace mp = procpool;

// [load_one]
using Images = mp::SharedArray<std::uint8_t, 3>;  // (n, rows, cols)

/// Draws a disc of radius i into image i; a real task would read a file here.
void load_one(const Images& images, int i) {
    auto image = images[i];  // a view: no copy
    const int rows = static_cast<int>(image.shape()[0]), cols = static_cast<int>(image.shape()[1]);
    for (int row = 0; row < rows; ++row) {
        for (int col = 0; col < cols; ++col) {
            const int y = row - rows / 2, x = col - cols / 2;
            if (x * x + y * y < i * i) image(row, col) = 255;
        }
    }
}
// [/load_one]

int main() {
    // [fill]
    Images images({100, 64, 64});  // zeros, in memory that the workers share
    mp::Pool pool(2);
    pool.map(mp::partial(load_one, images), std::views::iota(0, 100));
    // [/fill]

    Images serial({100, 64, 64});
    for (int i = 0; i < 100; ++i) load_one(serial, i);
    const bool equal = std::ranges::equal(images.span(), serial.span());
    std::cout << "100 images " << (equal ? "equal" : "DIFFER FROM") << " those drawn serially; number 30:\n";

    for (int row = 0; row < 64; row += 4) {
        for (int col = 0; col < 64; col += 2) std::cout << (images(30, row, col) == 255 ? '#' : '.');
        std::cout << "\n";
    }
    return equal ? 0 : 1;
}
