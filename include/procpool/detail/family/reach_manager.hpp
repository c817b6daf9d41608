// SPDX-License-Identifier: MIT
// The door to managers: all that a file which makes one, or uses its objects, needs to know of them.
#ifndef PROCPOOL_DETAIL_FAMILY_REACH_MANAGER_HPP
#define PROCPOOL_DETAIL_FAMILY_REACH_MANAGER_HPP

#include <functional>
#include <memory>

#include "procpool/detail/family/manager_client.hpp"
#include "procpool/detail/family/server_key.hpp"
#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::family {

/// This process's only client of that manager.
template <class = only_if_used>
std::shared_ptr<manager_client> reach_manager(const server_key& key);

/// What the process of a manager does, which never returns. `ready` is called when clients can come.
template <class = only_if_used>
[[noreturn]] void run_manager(const server_key& key, const std::function<void()>& ready);

}  // namespace procpool::inline v0_1::detail::family

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/family/reach_manager_impl.hpp"
#endif

#endif
