// SPDX-License-Identifier: MIT
// Samples for tests of Loader, and what their batches must be.
#ifndef PROCPOOL_TESTS_SUPPORT_SAMPLES_HPP
#define PROCPOOL_TESTS_SUPPORT_SAMPLES_HPP

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "procpool/loader.hpp"

namespace test {

namespace mp = procpool;

/// An image of 4x3, all i, and the label 2 i.
struct pictures {
    std::size_t count = 0;

    std::size_t size() const { return count; }
    void get(std::size_t i, mp::ArrayView<float, 2> image, int& label) const {
        image.fill(static_cast<float>(i));
        label = static_cast<int>(2 * i);
    }
};

inline const auto image = mp::sample_array<float>(4, 3);
inline const auto label = mp::sample_array<int>();

template <class Batch>
bool is_right(const Batch& batch) {
    const auto [images, labels] = batch.arrays();
    if (images.shape()[0] != batch.size() || labels.size() != batch.size()) return false;
    for (std::size_t k = 0; k < batch.size(); ++k) {
        const auto sample = batch.samples()[k];
        if (labels[k] != static_cast<int>(2 * sample)) return false;
        for (const float value : images[k])
            if (value != static_cast<float>(sample)) return false;
    }
    return true;
}

/// The samples of the rest of an epoch, batch by batch.
template <class Loader>
std::vector<std::vector<std::uint64_t>> samples_of_epoch(Loader& loader) {
    std::vector<std::vector<std::uint64_t>> all;
    for (const auto& batch : loader) {
        EXPECT_TRUE(is_right(batch));
        all.emplace_back(batch.samples().begin(), batch.samples().end());
    }
    return all;
}

inline std::vector<std::uint64_t> flat(const std::vector<std::vector<std::uint64_t>>& batches) {
    std::vector<std::uint64_t> all;
    for (const auto& one : batches) all.insert(all.end(), one.begin(), one.end());
    return all;
}
inline std::vector<std::uint64_t> numbers_to(std::uint64_t count) {
    std::vector<std::uint64_t> all;
    for (std::uint64_t i = 0; i < count; ++i) all.push_back(i);
    return all;
}
template <class T>
T sorted(T values) {
    std::ranges::sort(values);
    return values;
}

}  // namespace test

#endif
