// SPDX-License-Identifier: MIT
// How a message is known to leave this machine.
#ifndef PROCPOOL_DETAIL_WIRE_OTHER_MACHINES_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_OTHER_MACHINES_IMPL_HPP

#include <memory>
#include <typeinfo>

#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/arena.hpp"
#include "procpool/detail/wire/other_machines.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

template <class>
const std::shared_ptr<arena>& other_machines() {
    static const auto* const elsewhere = new auto(
        std::make_shared<arena>(nullptr, 0, 0));  // leaked: pools of static lifetime end after it would
    return *elsewhere;
}

template <class>
void require_this_machine(const sink& out, const std::type_info& what) {
    if (!out.large || !out.large->memory || !out.large->memory->is_elsewhere()) return;
    throw SerializationError(
        "procpool: a " + type_name(what) +
        " belongs to one run of the program on one machine, and can't go to another machine, "
        "nor into a journal; send values, for example a std::vector, or let the tasks make "
        "their own");
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
