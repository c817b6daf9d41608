// expect: procpool: OpenCV has no such elements; it has std::uint8_t
// SPDX-License-Identifier: MIT
#include <procpool/interop/opencv.hpp>

cv::Mat mat(const procpool::ArrayView<unsigned, 2>& view) { return procpool::interop::as_mat(view); }
