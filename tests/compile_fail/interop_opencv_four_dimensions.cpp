// expect: procpool: a cv::Mat shows an array of rows and columns, or of rows, columns and channels
// SPDX-License-Identifier: MIT
#include <procpool/interop/opencv.hpp>

cv::Mat mat(const procpool::ArrayView<float, 4>& view) { return procpool::interop::as_mat(view); }
