// SPDX-License-Identifier: MIT
// What keeps the name of shared memory, which stays by itself until somebody removes it.
#ifndef PROCPOOL_DETAIL_OS_LINUX_KEPT_NAME_HPP
#define PROCPOOL_DETAIL_OS_LINUX_KEPT_NAME_HPP

#include "procpool/detail/os/fd.hpp"

namespace procpool::inline v0_1::detail::os {

class kept_name {
public:
    kept_name() noexcept = default;
    explicit kept_name(fd&& /*file*/) noexcept {}
};

}  // namespace procpool::inline v0_1::detail::os

#endif
