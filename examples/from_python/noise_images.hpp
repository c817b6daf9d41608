// SPDX-License-Identifier: MIT
// The images that these programs write and read: a folder that goes with the program, and one file.
#ifndef PROCPOOL_EXAMPLES_FROM_PYTHON_NOISE_IMAGES_HPP
#define PROCPOOL_EXAMPLES_FROM_PYTHON_NOISE_IMAGES_HPP

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

/// A new folder, removed with all that is in it by the process that has made it.
class ImageFolder {
public:
    ImageFolder() {
        std::string path = std::filesystem::temp_directory_path() / "procpool-images-XXXXXX";
        if (!::mkdtemp(path.data())) throw std::runtime_error("can't make a folder " + path);
        path_ = path;
    }
    ImageFolder(const ImageFolder&) = delete;
    ImageFolder& operator=(const ImageFolder&) = delete;
    ~ImageFolder() { std::filesystem::remove_all(path_); }

    /// What the files' names begin with.
    std::string prefix() const { return path_ / "image"; }

private:
    std::filesystem::path path_;
};

inline std::string file_name(const std::string& prefix, int i) {
    return prefix + "_" + std::to_string(i) + ".png";
}

/// Writes PREFIX_i.png: noise whose seed is i, so that it is the same whichever worker makes it.
inline void write_one_file(int size_x, int size_y, const std::string& prefix, int i) {
    cv::RNG random((static_cast<std::uint64_t>(i) + 1) * 0x9e3779b97f4a7c15);
    cv::Mat image(size_y, size_x, CV_8UC1);
    random.fill(image, cv::RNG::UNIFORM, 0, 256);
    if (!cv::imwrite(file_name(prefix, i), image))
        throw std::runtime_error("can't write " + file_name(prefix, i));
}

inline cv::Mat read_one_file(const std::string& prefix, int i) {
    cv::Mat image = cv::imread(file_name(prefix, i), cv::IMREAD_GRAYSCALE);
    if (image.empty()) throw std::runtime_error("can't read " + file_name(prefix, i));
    return image;
}

#endif
