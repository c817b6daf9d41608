// SPDX-License-Identifier: MIT
// Which indices were there already.
#ifndef PROCPOOL_DETAIL_CALL_INDEX_SET_HPP
#define PROCPOOL_DETAIL_CALL_INDEX_SET_HPP

#include <cstdint>
#include <deque>

namespace procpool::inline v0_1::detail::call {

/// Indices that come once each, nearly in order: it remembers no more than those beyond the first gap.
class index_set {
public:
    void add(std::uint64_t index);
    /// The lowest that was not added.
    std::uint64_t first_missing() const noexcept { return begin_; }

private:
    std::uint64_t begin_ = 0;
    std::deque<bool> from_there_;
};

}  // namespace procpool::inline v0_1::detail::call

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/call/index_set_impl.hpp"
#endif

#endif
