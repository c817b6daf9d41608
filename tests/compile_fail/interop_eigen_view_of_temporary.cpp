// expect: procpool: this matrix would be gone before its view
// SPDX-License-Identifier: MIT
#include <procpool/interop/eigen.hpp>

Eigen::MatrixXd made();
double* data() { return procpool::interop::view_of(made()).data(); }
