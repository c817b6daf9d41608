// SPDX-License-Identifier: MIT
// One picture that shows many small ones side by side, for a person to look at.
#ifndef PROCPOOL_EXAMPLES_CONTACT_SHEET_HPP
#define PROCPOOL_EXAMPLES_CONTACT_SHEET_HPP

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

/// A cell for an image that isn't there: a red cross.
inline void draw_missing(cv::Mat cell) {
    const cv::Scalar dark_red(0, 0, 96), red(0, 0, 255);
    cell = dark_red;
    cv::line(cell, {0, 0}, {cell.cols, cell.rows}, red, 2, cv::LINE_AA);
    cv::line(cell, {0, cell.rows}, {cell.cols, 0}, red, 2, cv::LINE_AA);
}

/// Lays out `images` (RGB, one size; an empty one is missing) at most 1600 pixels wide, with labels if they
/// fit.
/// @return the sheet in OpenCV's order of colours, BGR
inline cv::Mat contact_sheet(const std::vector<cv::Mat>& images, const std::vector<std::string>& labels) {
    constexpr int sheet_width = 1600, gap = 4, letter = 7;
    const auto first = std::ranges::find_if(images, [](const cv::Mat& image) { return !image.empty(); });
    const cv::Size full = first == images.end() ? cv::Size(256, 192) : first->size();
    const int n = static_cast<int>(images.size());
    const int across = static_cast<int>(std::ceil(std::sqrt(1.5 * n)));
    const int width = std::max(1, std::min(sheet_width / across - gap, full.width));
    const int height = std::max(1, full.height * width / full.width);
    const int label = width >= 10 * letter ? 16 : 0;
    const cv::Size step(width + gap, height + label + gap);

    cv::Mat sheet((n + across - 1) / across * step.height, across * step.width, CV_8UC3, cv::Scalar::all(48));
    for (int i = 0; i < n; ++i) {
        const cv::Point corner(i % across * step.width + gap / 2, i / across * step.height + gap / 2);
        const auto& image = images[static_cast<std::size_t>(i)];
        cv::Mat cell = sheet(cv::Rect(corner, cv::Size(width, height)));
        if (image.empty()) {
            draw_missing(cell);
        } else {
            cv::resize(image, cell, cell.size(), 0, 0, cv::INTER_AREA);
            cv::cvtColor(cell, cell, cv::COLOR_RGB2BGR);
        }
        if (label == 0) continue;
        const auto text =
            labels[static_cast<std::size_t>(i)].substr(0, static_cast<std::size_t>(width / letter));
        cv::putText(sheet, text, corner + cv::Point(0, height + 12), cv::FONT_HERSHEY_PLAIN, 0.8,
                    cv::Scalar::all(224), 1, cv::LINE_AA);
    }
    return sheet;
}

#endif
