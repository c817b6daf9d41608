// SPDX-License-Identifier: MIT
// Scales a picture into an image whose size is given.
#ifndef PROCPOOL_EXAMPLES_FIT_HPP
#define PROCPOOL_EXAMPLES_FIT_HPP

#include <algorithm>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

/// Puts `picture`, BGR, into the middle of `image`, RGB, as large as it fits.
inline void fit(const cv::Mat& picture, cv::Mat image) {
    const double scale = std::min(1.0 * image.cols / picture.cols, 1.0 * image.rows / picture.rows);
    const cv::Size size(std::max(1, cvRound(picture.cols * scale)),
                        std::max(1, cvRound(picture.rows * scale)));
    cv::Mat place =
        image({(image.cols - size.width) / 2, (image.rows - size.height) / 2, size.width, size.height});
    cv::resize(picture, place, size, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
    cv::cvtColor(place, place, cv::COLOR_BGR2RGB);
}

#endif
