// SPDX-License-Identifier: MIT
// The start method of pools that don't say theirs.
#ifndef PROCPOOL_DETAIL_START_METHOD_IMPL_HPP
#define PROCPOOL_DETAIL_START_METHOD_IMPL_HPP

#include <atomic>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/error.hpp"
#include "procpool/start_method.hpp"

namespace procpool::inline v0_1 {

namespace detail {
inline std::atomic<start_method> default_start_method{start_method::automatic};
}  // namespace detail

PROCPOOL_COMPILED_APART void set_start_method(start_method method, bool force) {
    start_method before = start_method::automatic;
    if (force)
        detail::default_start_method.store(method);
    else if (!detail::default_start_method.compare_exchange_strong(before, method))
        throw Error("procpool: the start method has already been set");
}

PROCPOOL_COMPILED_APART start_method get_start_method() noexcept {
    return detail::default_start_method.load();
}

}  // namespace procpool::inline v0_1

#endif
