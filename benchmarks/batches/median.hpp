// SPDX-License-Identifier: MIT
// The median of what rounds have measured.
#ifndef PROCPOOL_BENCHMARKS_BATCHES_MEDIAN_HPP
#define PROCPOOL_BENCHMARKS_BATCHES_MEDIAN_HPP

#include <algorithm>
#include <cstddef>
#include <vector>

inline double median(std::vector<double> of) {
    std::ranges::nth_element(of, of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2));
    return of[of.size() / 2];
}

#endif
