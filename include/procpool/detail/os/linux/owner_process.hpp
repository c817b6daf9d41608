// SPDX-License-Identifier: MIT
// The process that made an object.
#ifndef PROCPOOL_DETAIL_OS_LINUX_OWNER_PROCESS_HPP
#define PROCPOOL_DETAIL_OS_LINUX_OWNER_PROCESS_HPP

#include <atomic>

#include "procpool/detail/os/fd.hpp"

namespace procpool::detail::os {

/// A member by which an object sees that it has become a copy in a forked child.
class owner_process {
public:
    owner_process() { fd_registry::instance(); }  // which counts the forks

    bool is_this_one() const noexcept {
        return generation_ == fork_generation.load(std::memory_order_relaxed);
    }

private:
    unsigned generation_ = fork_generation.load(std::memory_order_relaxed);
};

}  // namespace procpool::detail::os

#endif
