// SPDX-License-Identifier: MIT
// Arrays as std::mdspan, where the standard library has it (C++23): otherwise this header is empty.
#ifndef PROCPOOL_INTEROP_MDSPAN_HPP
#define PROCPOOL_INTEROP_MDSPAN_HPP

#include <version>

#if defined(__cpp_lib_mdspan)

#include <algorithm>
#include <cstddef>
#include <mdspan>
#include <stdexcept>

#include "procpool/array_shape.hpp"
#include "procpool/array_view.hpp"

namespace procpool::inline v0_1::interop {

/// The elements that an array or view shows, without a copy, good for as long as they are.
/// @throws std::logic_error of a view that goes backwards, as slice() with a negative step gives it: a
/// std::mdspan has no negative strides
template <class T, std::size_t Rank>
constexpr auto to_mdspan(const ArrayView<T, Rank>& view) {
    using extents = std::dextents<std::size_t, Rank>;
    using mapping = std::layout_stride::mapping<extents>;
    auto strides = view.strides();
    if (view.empty()) {
        // Those of an empty view may be 0, which no std::mdspan has.
        auto at_least_1 = view.shape();
        for (std::size_t& size : at_least_1) size = std::max<std::size_t>(size, 1);
        strides = procpool::detail::row_major_strides(at_least_1);
    }
    for (std::size_t d = 0; d < Rank; ++d) {
        if (view.shape()[d] == 1) strides[d] = 1;  // is never used, and may be anything in a view
        if (strides[d] <= 0)
            throw std::logic_error("procpool: a view that goes backwards can't be a std::mdspan");
    }
    return std::mdspan<T, extents, std::layout_stride>(view.data(), mapping(extents(view.shape()), strides));
}

}  // namespace procpool::inline v0_1::interop

#endif
#endif
