// expect: procpool: this expression of Eigen's has no elements in memory
// SPDX-License-Identifier: MIT
#include <procpool/interop/eigen.hpp>

void show(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) { procpool::interop::view_of(a + b); }
