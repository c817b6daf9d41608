// SPDX-License-Identifier: MIT
// What is behind the door to waiting.
#ifndef PROCPOOL_DETAIL_FAMILY_WAIT_READY_IMPL_HPP
#define PROCPOOL_DETAIL_FAMILY_WAIT_READY_IMPL_HPP

#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/wait_ready.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/readable.hpp"

namespace procpool::inline v0_1::detail::family {

template <class>
int number_of(const os::fd& file) noexcept {
    return os::number_of(file);
}

template <class>
std::vector<bool> wait_ready(const std::vector<const os::fd*>& files, steady_time until) {
    return os::wait_readable(files, until);
}

}  // namespace procpool::inline v0_1::detail::family

#endif
