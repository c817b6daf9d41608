// SPDX-License-Identifier: MIT
// What is behind the door to managers.
#ifndef PROCPOOL_DETAIL_FAMILY_REACH_MANAGER_IMPL_HPP
#define PROCPOOL_DETAIL_FAMILY_REACH_MANAGER_IMPL_HPP

#include <functional>
#include <memory>

#include "procpool/detail/family/manager_link.hpp"
#include "procpool/detail/family/manager_server.hpp"
#include "procpool/detail/family/mutual_proof.hpp"
#include "procpool/detail/family/reach_manager.hpp"
#include "procpool/detail/os/signal.hpp"

namespace procpool::inline v0_1::detail::family {

template <class>
std::shared_ptr<manager_client> reach_manager(const server_key& key) {
    return manager_link::of(key);
}

template <class>
[[noreturn]] void run_manager(const server_key& key, const std::function<void()>& ready) {
    os::leave_interrupts_to_the_program();
    manager_server server(key);
    ready();
    server.run();
}

}  // namespace procpool::inline v0_1::detail::family

#endif
