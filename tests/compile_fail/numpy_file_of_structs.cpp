// expect: procpool: a NumPy file holds numbers
// SPDX-License-Identifier: MIT
#include <procpool/interop/numpy.hpp>

struct point {
    float x, y;
};
void save(const procpool::SharedArray<point, 1>& points) {
    procpool::interop::save_npy("points.npy", points);
}
