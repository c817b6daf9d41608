// SPDX-License-Identifier: MIT
// The task functions of the comparison that OpenCV does the work of, in C++ as in tasks.py.
#ifndef PROCPOOL_BENCHMARKS_COMPARE_PICTURES_HPP
#define PROCPOOL_BENCHMARKS_COMPARE_PICTURES_HPP

#include <array>
#include <cstdint>
#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/shared_array.hpp"
#include "tasks.hpp"

namespace compare {

// ---- 2000 pictures of noise, written and read into one array

inline constexpr int picture_side = 100;
using picture_array = procpool::SharedArray<std::uint8_t, 4>;  // (n, rows, columns, channels)

inline std::string picture_file(const std::string& folder, int i) {
    return folder + "/image_" + std::to_string(i) + ".png";
}

inline int write_picture(const std::string& folder, int i) {
    cv::Mat noise(picture_side, picture_side, CV_8UC3);
    cv::setRNGSeed(i + 1);
    cv::randu(noise, 0, 256);
    if (!cv::imwrite(picture_file(folder, i), noise)) throw std::runtime_error("can't write a picture");
    return i;
}

inline int read_picture(const picture_array& all, const std::string& folder, int i) {
    const cv::Mat picture = cv::imread(picture_file(folder, i));
    const auto place = all[static_cast<std::size_t>(i)];
    if (picture.total() * picture.elemSize() != place.size())
        throw std::runtime_error("can't read a picture");
    std::memcpy(place.data(), picture.data, place.size());
    return i;
}

// ---- convolution of one shared image with different filters; every fifth row and column is the result

using image_array = procpool::SharedArray<double, 2>;
using filter = std::array<double, 16>;

inline image_array noise_image(int side) {
    image_array image({static_cast<std::size_t>(side), static_cast<std::size_t>(side)});
    cv::Mat pixels(side, side, CV_64F, image.data());
    cv::setRNGSeed(4);
    cv::randu(pixels, 0.0, 1.0);
    return image;
}

inline std::vector<filter> filters(std::size_t n) {
    lcg numbers(5);
    std::vector<filter> all(n);
    for (filter& one : all)
        for (double& weight : one) weight = numbers.uniform() - 0.5;
    return all;
}

inline std::vector<double> convolve(const image_array& image, filter weights) {
    const auto side = static_cast<int>(image.shape()[0]);
    const cv::Mat pixels(side, side, CV_64F, image.data());
    cv::Mat filtered;
    cv::filter2D(pixels, filtered, CV_64F, cv::Mat(4, 4, CV_64F, weights.data()));
    std::vector<double> fifth;
    for (int row = 0; row < side; row += 5)
        for (int column = 0; column < side; column += 5) fifth.push_back(filtered.at<double>(row, column));
    return fifth;
}

// ---- inference by a network that each worker must build first

struct network {
    std::vector<cv::Mat> layers;

    network() {
        constexpr std::array sizes{28 * 28, 2048, 2048, 10};
        cv::setRNGSeed(6);
        for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
            layers.emplace_back(sizes[i], sizes[i + 1], CV_32F);
            cv::randn(layers.back(), 0.0, 0.03);
        }
    }

    /// The most likely digit for each row.
    std::vector<int> classify(cv::Mat activity) const {
        for (const cv::Mat& layer : layers) {
            cv::Mat next;
            cv::gemm(activity, layer, 1, cv::noArray(), 0, next);
            activity = cv::max(next, 0);
        }
        std::vector<int> digits;
        for (int row = 0; row < activity.rows; ++row) {
            const float* const first = activity.ptr<float>(row);
            digits.push_back(static_cast<int>(std::max_element(first, first + activity.cols) - first));
        }
        return digits;
    }
};

inline const network& this_workers_network() {
    thread_local const network built;
    return built;
}
inline void build_network() { this_workers_network(); }

inline constexpr int batch_rows = 10;
inline std::vector<std::vector<float>> batches(std::size_t n) {
    std::vector<std::vector<float>> all(n, std::vector<float>(batch_rows * 28 * 28));
    cv::setRNGSeed(7);
    for (auto& batch : all) {
        cv::Mat pixels(batch_rows, 28 * 28, CV_32F, batch.data());
        cv::randu(pixels, 0.0, 1.0);
    }
    return all;
}
inline std::vector<int> classify(std::vector<float> batch) {
    return this_workers_network().classify(cv::Mat(batch_rows, 28 * 28, CV_32F, batch.data()));
}

}  // namespace compare

#endif
