// SPDX-License-Identifier: MIT
// What keeps the name of shared memory, which goes with the last handle, though the memory is still mapped.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_KEPT_NAME_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_KEPT_NAME_HPP

#include <utility>

#include "procpool/detail/os/fd.hpp"

namespace procpool::inline v0_1::detail::os {

class kept_name {
public:
    kept_name() noexcept = default;
    explicit kept_name(fd&& file) noexcept : file_(std::move(file)) {}

private:
    fd file_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
