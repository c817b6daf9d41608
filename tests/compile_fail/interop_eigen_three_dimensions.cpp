// expect: procpool: an Eigen::Map shows an array of one or two dimensions
// SPDX-License-Identifier: MIT
#include <procpool/interop/eigen.hpp>

double sum(const procpool::ArrayView<double, 3>& view) { return procpool::interop::as_map(view).sum(); }
