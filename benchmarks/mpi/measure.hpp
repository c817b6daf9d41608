// SPDX-License-Identifier: MIT
// What the programs of the comparison measure, and how they tell it.
#ifndef BENCHMARKS_MPI_MEASURE_HPP
#define BENCHMARKS_MPI_MEASURE_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

namespace measure {

/// Seconds that `work` takes.
template <class Work>
double seconds(Work work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// The median of `times` runs, in seconds.
template <class Work>
double median_seconds(int times, Work work) {
    std::vector<double> all;
    for (int i = 0; i < times; ++i) all.push_back(seconds(work));
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end());
    return *middle;
}

/// A line for compare.py.
inline void tell(const std::string& what, double value) {
    std::printf("%s %.6g\n", what.c_str(), value);
    std::fflush(stdout);
}

}  // namespace measure

#endif
