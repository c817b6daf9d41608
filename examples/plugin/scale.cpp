// SPDX-License-Identifier: MIT
// A plugin: it knows nothing of procpool, only which function the host looks for.
#include <vector>

namespace {
std::vector<double> scale(const std::vector<double>& values) {
    std::vector<double> scaled;
    scaled.reserve(values.size());
    for (const double value : values) scaled.push_back(0.5 * value);
    return scaled;
}
}  // namespace

using filter = std::vector<double> (*)(const std::vector<double>&);
extern "C" filter plugin_filter() { return &scale; }
