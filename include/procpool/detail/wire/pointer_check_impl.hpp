// SPDX-License-Identifier: MIT
// What a pointer that is refused points to.
#ifndef PROCPOOL_DETAIL_WIRE_POINTER_CHECK_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_POINTER_CHECK_IMPL_HPP

#include <cstdint>
#include <string>
#include <typeinfo>

#include "procpool/detail/os/memory_map.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/pointer_check.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

template <class>
void refuse_pointer(std::uintptr_t word, const std::type_info& type) {
    if (is_code(word))
        throw SerializationError(
            "procpool: " + type_name(type) +
            " holds a function pointer, which only a task's own function or lambda may hold: send it as an "
            "argument of its own or in a tuple, or bind it, procpool::partial(f, function)");
    const std::string where = os::what_is_mapped_at(word);
    if (where.empty()) return;
    throw SerializationError("procpool: " + type_name(type) + " holds a pointer into this process's " +
                             where +
                             ", which means nothing in another process: send the value itself (capture it by "
                             "value, [*this] instead of [this], or procpool::partial(f, value)), or a "
                             "SharedArray");
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
