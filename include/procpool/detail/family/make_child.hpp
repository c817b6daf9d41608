// SPDX-License-Identifier: MIT
// The door to single processes: all that a file which starts one needs to know of them.
#ifndef PROCPOOL_DETAIL_FAMILY_MAKE_CHILD_HPP
#define PROCPOOL_DETAIL_FAMILY_MAKE_CHILD_HPP

#include <memory>
#include <vector>

#include "procpool/detail/family/child.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::family {

/// `call` is a body_maker's address, and what that needs.
template <class = only_if_used>
std::shared_ptr<child> make_child(ProcessOptions options, wire::buffer call, wire::pins pins);

/// Those of this process that run, in the order of their starts.
template <class = only_if_used>
std::vector<std::shared_ptr<child>> running_children();

}  // namespace procpool::inline v0_1::detail::family

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/family/make_child_impl.hpp"
#endif

#endif
