// SPDX-License-Identifier: MIT
// The door to what a file asks of the process that it runs in.
#ifndef PROCPOOL_DETAIL_OS_THIS_PROCESS_HPP
#define PROCPOOL_DETAIL_OS_THIS_PROCESS_HPP

#include <functional>

#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::os {

template <class = only_if_used>
long own_pid() noexcept;

/// Processors that it may use: those of its affinity mask, or fewer where a cgroup sets a quota.
template <class = only_if_used>
int usable_cpus();

/// Has these called around each fork of the library.
template <class = only_if_used>
void add_fork_hook(std::function<void()> before, std::function<void()> after_in_parent,
                   std::function<void()> after_in_child);

}  // namespace procpool::inline v0_1::detail::os

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/os/this_process_impl.hpp"
#endif

#endif
