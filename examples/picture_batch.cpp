// SPDX-License-Identifier: MIT
// A batch of pictures with the standard library alone: workers compute them and write them as PPM files. Runs
// on Linux and, cross-compiled, on Windows.
#include <complex>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include <procpool/freeze_support.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>

namespace mp = procpool;
namespace fs = std::filesystem;

constexpr int width = 96, height = 64;

/// How fast the point leaves the Mandelbrot set, as a shade; black inside.
std::uint8_t shade_of(std::complex<double> c) {
    std::complex<double> z = 0;
    for (int i = 0; i < 255; ++i) {
        if (std::norm(z) > 4) return static_cast<std::uint8_t>(255 - i);
        z = z * z + c;
    }
    return 0;
}

/// Writes one picture, nearer than the one before. Returns how many of its points are black.
int write_picture(const std::string& folder, int number) {
    const double scale = 3.0 / (1 << number);
    std::vector<char> pixels;
    int black = 0;
    for (int row = 0; row < height; ++row) {
        for (int col = 0; col < width; ++col) {
            const double x = (col - width / 2) * scale / width, y = (row - height / 2) * scale / width;
            const std::uint8_t shade = shade_of({x - 0.75, y});
            black += shade == 0;
            pixels.insert(pixels.end(), 3, static_cast<char>(shade));
        }
    }
    const fs::path path = fs::path(folder) / ("picture" + std::to_string(number) + ".ppm");
    std::ofstream file(path, std::ios::binary);
    file << "P6\n" << width << ' ' << height << "\n255\n";
    file.write(pixels.data(), static_cast<std::streamsize>(pixels.size()));
    if (!file.flush())
        throw fs::filesystem_error("can't write", path, std::make_error_code(std::errc::io_error));
    return black;
}

int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);  // on Windows each worker is this program, started anew
    const fs::path folder =
        fs::temp_directory_path() / ("procpool-pictures-" + std::to_string(std::random_device()()));
    fs::create_directories(folder);

    std::vector<int> numbers{0, 1, 2, 3, 4, 5};
    mp::Pool pool(2);
    const auto black = pool.map(mp::partial(write_picture, folder.string()), numbers);

    for (const int number : numbers) {
        const fs::path path = folder / ("picture" + std::to_string(number) + ".ppm");
        std::cout << path.filename().string() << ": " << fs::file_size(path) << " bytes, "
                  << black[static_cast<std::size_t>(number)] << " points of the set\n";
    }
    fs::remove_all(folder);
}
