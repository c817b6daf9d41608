// SPDX-License-Identifier: MIT
// A set of processors.
#ifndef PROCPOOL_DETAIL_OS_CPU_MASK_HPP
#define PROCPOOL_DETAIL_OS_CPU_MASK_HPP

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace procpool::inline v0_1::detail::os {

/// Processors by their numbers, as the kernel has them: bit N % 64 of word N / 64. The last word has a bit.
class cpu_mask {
public:
    cpu_mask() noexcept = default;
    explicit cpu_mask(std::vector<std::uint64_t> words) : words_(std::move(words)) {
        while (!words_.empty() && words_.back() == 0) words_.pop_back();
    }

    std::span<const std::uint64_t> words() const noexcept { return words_; }

    std::size_t count() const noexcept {
        std::size_t count = 0;
        for (const std::uint64_t word : words_) count += static_cast<std::size_t>(std::popcount(word));
        return count;
    }

    cpu_mask& operator|=(const cpu_mask& other) {
        words_.resize(std::max(words_.size(), other.words_.size()));
        for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
        return *this;
    }

    friend bool operator==(const cpu_mask&, const cpu_mask&) = default;

private:
    std::vector<std::uint64_t> words_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
