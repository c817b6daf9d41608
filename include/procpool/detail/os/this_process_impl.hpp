// SPDX-License-Identifier: MIT
// What is behind the door to the process that a file runs in.
#ifndef PROCPOOL_DETAIL_OS_THIS_PROCESS_IMPL_HPP
#define PROCPOOL_DETAIL_OS_THIS_PROCESS_IMPL_HPP

#include <functional>
#include <utility>

#include "procpool/detail/os/cpu.hpp"
#include "procpool/detail/os/fork_hooks.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/this_process.hpp"

namespace procpool::inline v0_1::detail::os {

template <class>
long own_pid() noexcept {
    return current_pid();
}

template <class>
int usable_cpus() {
    return limit_to_cgroup_quota(affinity_count());
}

template <class>
void add_fork_hook(std::function<void()> before, std::function<void()> after_in_parent,
                   std::function<void()> after_in_child) {
    fork_hooks::add({.before = std::move(before),
                     .after_in_parent = std::move(after_in_parent),
                     .after_in_child = std::move(after_in_child)});
}

}  // namespace procpool::inline v0_1::detail::os

#endif
