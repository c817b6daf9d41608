// SPDX-License-Identifier: MIT
// ArraySlice: some of the indices of a dimension, as Python's slices.
#ifndef PROCPOOL_ARRAY_SLICE_HPP
#define PROCPOOL_ARRAY_SLICE_HPP

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>

namespace procpool::inline v0_1 {

/// Some of the indices of a dimension, as Python's slices: from `from` up to before `to` in steps. What is
/// left out reaches to the dimension's end, negative numbers count from there, a negative step goes
/// backwards.
struct ArraySlice {
    /// The first index.
    std::optional<std::ptrdiff_t> from = {};
    /// The index before which it ends.
    std::optional<std::ptrdiff_t> to = {};
    /// From one index to the next.
    std::ptrdiff_t step = 1;

    /// Where it begins in a dimension, and how many indices it has.
    struct indices {
        /// The first index.
        std::size_t first, count;  ///< how many there are
    };
    /// What that means for a dimension of `size` elements.
    /// @throws std::invalid_argument if the step is 0
    constexpr indices of(std::size_t size) const {
        if (step == 0) throw std::invalid_argument("procpool: a slice can't have a step of 0");
        const auto length = static_cast<std::ptrdiff_t>(size);
        // Going backwards, the place before the first element is a limit, too.
        const std::ptrdiff_t least = step > 0 ? 0 : -1;
        const std::ptrdiff_t most = step > 0 ? length : length - 1;
        const auto place = [&](std::ptrdiff_t index) {
            return std::clamp(index < 0 ? index + length : index, least, most);
        };
        const std::ptrdiff_t first = from ? place(*from) : step > 0 ? least : most;
        const std::ptrdiff_t last = to ? place(*to) : step > 0 ? most : least;
        const std::ptrdiff_t distance = step > 0 ? last - first : first - last;
        if (distance <= 0) return {0, 0};
        const auto stride =
            step > 0 ? static_cast<std::size_t>(step) : std::size_t{0} - static_cast<std::size_t>(step);
        return {static_cast<std::size_t>(first), (static_cast<std::size_t>(distance) - 1) / stride + 1};
    }
};

}  // namespace procpool::inline v0_1

#endif
