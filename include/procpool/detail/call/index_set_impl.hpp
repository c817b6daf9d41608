// SPDX-License-Identifier: MIT
// How indices are remembered.
#ifndef PROCPOOL_DETAIL_CALL_INDEX_SET_IMPL_HPP
#define PROCPOOL_DETAIL_CALL_INDEX_SET_IMPL_HPP

#include <cstddef>
#include <cstdint>

#include "procpool/detail/call/index_set.hpp"
#include "procpool/detail/compiled_apart.hpp"

namespace procpool::inline v0_1::detail::call {

PROCPOOL_COMPILED_APART void index_set::add(std::uint64_t index) {
    if (index == begin_ && from_there_.empty()) {
        ++begin_;
        return;
    }
    const std::size_t place = index - begin_;
    if (place >= from_there_.size()) from_there_.resize(place + 1);
    from_there_[place] = true;
    while (!from_there_.empty() && from_there_.front()) {
        from_there_.pop_front();
        ++begin_;
    }
}

}  // namespace procpool::inline v0_1::detail::call

#endif
