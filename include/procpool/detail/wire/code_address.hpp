// SPDX-License-Identifier: MIT
// Functions as values that mean the same in another process: the module's build id and the offset in it.
#ifndef PROCPOOL_DETAIL_WIRE_CODE_ADDRESS_HPP
#define PROCPOOL_DETAIL_WIRE_CODE_ADDRESS_HPP

#include <cstdint>
#include <type_traits>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Whether a library that is missing here may be loaded: in workers, which do what the program says.
inline bool may_load_libraries = false;

/// Whether that is in the code of a module.
template <class = only_if_used>
bool is_code(std::uintptr_t address);

/// While this stays, an address of code means the same: 0 for the program's own, which nobody closes.
template <class = only_if_used>
std::uint64_t generation_of_code(std::uintptr_t address);

/// Appends in which module the function is, and where there. @throws SerializationError if it is in none
template <class = only_if_used>
void encode_code(buffer& to, std::uintptr_t address);

/// The address of that function here. @throws SerializationError if there is no such module
template <class = only_if_used>
std::uintptr_t decode_code(cursor& from);

/// Whether what it can't find may be here at another place: in an executable that isn't the sender's, or in a
/// module that has no build id.
template <class = only_if_used>
bool may_lie_elsewhere(cursor code);

template <class Function>
    requires std::is_function_v<Function>
void encode_function(buffer& to, Function* function) {
    encode_code(to, reinterpret_cast<std::uintptr_t>(function));
}

template <class Function>
    requires std::is_function_v<Function>
Function* decode_function(cursor& from) {
    return reinterpret_cast<Function*>(decode_code(from));
}

}  // namespace procpool::inline v0_1::detail::wire

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/code_address_impl.hpp"
#endif

#endif
