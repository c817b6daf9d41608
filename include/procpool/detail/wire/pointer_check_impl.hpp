// SPDX-License-Identifier: MIT
// What a pointer that is refused points to.
#ifndef PROCPOOL_DETAIL_WIRE_POINTER_CHECK_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_POINTER_CHECK_IMPL_HPP

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <typeinfo>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/os/memory_map.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/pointer_check.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

PROCPOOL_COMPILED_APART terabytes terabytes::of_this_process(const void* on_stack) {
    static const int in_program = 0;
    const auto number_of = [](auto* place) { return reinterpret_cast<std::uintptr_t>(place) >> shift; };
    return {number_of(on_stack), number_of(&in_program), number_of(&std::memcpy),
            number_of(std::make_unique<char>().get())};
}

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
