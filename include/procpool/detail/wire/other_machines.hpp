// SPDX-License-Identifier: MIT
// Messages to and from other machines: nothing of them lies in an arena, and handles are refused.
#ifndef PROCPOOL_DETAIL_WIRE_OTHER_MACHINES_HPP
#define PROCPOOL_DETAIL_WIRE_OTHER_MACHINES_HPP

#include <memory>
#include <typeinfo>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/forward.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Stands where an arena does for messages that stay here: see large_parts::memory.
template <class = only_if_used>
const std::shared_ptr<arena>& other_machines();

/// For a handle of type `what`. @throws SerializationError if it would leave this machine
template <class = only_if_used>
void require_this_machine(const sink& out, const std::type_info& what);

}  // namespace procpool::inline v0_1::detail::wire

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/other_machines_impl.hpp"
#endif

#endif
