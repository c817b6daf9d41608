// SPDX-License-Identifier: MIT
// What is behind the door to single processes.
#ifndef PROCPOOL_DETAIL_FAMILY_MAKE_CHILD_IMPL_HPP
#define PROCPOOL_DETAIL_FAMILY_MAKE_CHILD_IMPL_HPP

#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/family/child_list.hpp"
#include "procpool/detail/family/make_child.hpp"

#ifdef _WIN32
#include "procpool/detail/family/windows/child_process.hpp"
#else
#include "procpool/detail/family/child_process.hpp"
#endif

namespace procpool::inline v0_1::detail::family {

template <class>
std::shared_ptr<child> make_child(ProcessOptions options, wire::buffer call, wire::pins pins) {
    return std::make_shared<child_process>(std::move(options), std::move(call), std::move(pins));
}

template <class>
std::vector<std::shared_ptr<child>> running_children() {
    return child_list::running();
}

}  // namespace procpool::inline v0_1::detail::family

#endif
