// SPDX-License-Identifier: MIT
// Functions as values that mean the same in another process: the module's build id and the offset in it.
#ifndef PROCPOOL_DETAIL_WIRE_CODE_ADDRESS_HPP
#define PROCPOOL_DETAIL_WIRE_CODE_ADDRESS_HPP

#include <cstdint>
#include <mutex>
#include <type_traits>
#include <unordered_map>

#include "procpool/detail/posix/module.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/error.hpp"

namespace procpool::detail::wire {

/// The location of a function; remembered, since looking it up takes a microsecond.
inline posix::code_location locate_function(std::uintptr_t address) {
    struct cache {
        std::mutex mutex;
        std::unordered_map<std::uintptr_t, posix::code_location> known;
    };
    static cache* const shared = new cache;  // leaked: used until the very end of the process
    const std::lock_guard lock(shared->mutex);
    const auto at = shared->known.find(address);
    if (at != shared->known.end()) return at->second;
    const auto location = posix::locate_code(address);
    if (!location)
        throw SerializationError("procpool: a function pointer that points to no function of this program");
    return shared->known.emplace(address, *location).first->second;
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
