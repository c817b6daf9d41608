// SPDX-License-Identifier: MIT
// The door to waiting: all that a file which waits for connections and processes needs to know of it.
#ifndef PROCPOOL_DETAIL_FAMILY_WAIT_READY_HPP
#define PROCPOOL_DETAIL_FAMILY_WAIT_READY_HPP

#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd_fwd.hpp"

namespace procpool::inline v0_1::detail::family {

/// The system's number for it; -1 on Windows, where it has none.
template <class = only_if_used>
int number_of(const os::fd& file) noexcept;

/// Waits until one of `files` can be read, or is at its end, or `until` has come. @return which of them
template <class = only_if_used>
std::vector<bool> wait_ready(const std::vector<const os::fd*>& files, steady_time until);

}  // namespace procpool::inline v0_1::detail::family

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/family/wait_ready_impl.hpp"
#endif

#endif
