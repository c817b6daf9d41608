// SPDX-License-Identifier: MIT
// Functions as values that mean the same in another process: the module's build id and the offset in it.
#ifndef PROCPOOL_DETAIL_WIRE_CODE_ADDRESS_HPP
#define PROCPOOL_DETAIL_WIRE_CODE_ADDRESS_HPP

#include <array>
#include <cstdint>
#include <type_traits>

#include "procpool/detail/posix/module.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/error.hpp"

namespace procpool::detail::wire {

/// The location of a function; remembered, since looking it up takes a microsecond.
inline posix::code_location locate_function(std::uintptr_t address) {
    struct entry {
        std::uintptr_t address = 0;
        posix::code_location location;
    };
    // Each thread's own, so that no fork copies a lock; 64 functions are many for one program.
    thread_local std::array<entry, 64> known;
    entry& place = known[(address >> 4) % known.size()];
    if (address == 0 || place.address != address) {
        const auto location = posix::locate_code(address);
        if (!location)
            throw SerializationError(
                "procpool: a function pointer that points to no function of this program");
        place = {address, *location};
    }
    return place.location;
}

template <class Function>
    requires std::is_function_v<Function>
void encode_function(buffer& to, Function* function) {
    to.append_value(locate_function(reinterpret_cast<std::uintptr_t>(function)));
}

template <class Function>
    requires std::is_function_v<Function>
Function* decode_function(cursor& from) {
    const auto location = from.value<posix::code_location>();
    const std::uintptr_t address = posix::resolve_code(location);
    if (address == 0)
        throw SerializationError(
            "procpool: the worker has no such function: its library was loaded after the pool was made; "
            "load it before, or make a new pool");
    return reinterpret_cast<Function*>(address);
}

}  // namespace procpool::detail::wire

#endif
