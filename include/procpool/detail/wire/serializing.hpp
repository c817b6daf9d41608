// SPDX-License-Identifier: MIT
// Runs what may be a serialize function of the user's.
#ifndef PROCPOOL_DETAIL_WIRE_SERIALIZING_HPP
#define PROCPOOL_DETAIL_WIRE_SERIALIZING_HPP

#include <typeinfo>

namespace procpool::inline v0_1::detail::wire {

/// A sentence about a type, if there is one: `before` its name, and `after` that.
struct type_sentence {
    const char* before;
    const std::type_info* type = nullptr;
    const char* after = "";
};

/// In a handler: throws what was thrown as a SerializationError that begins with `what`, unless it is one
/// already, or tells that a proxy's manager is gone, or ends the thread (pthread_exit).
[[noreturn]] void throw_as_serialization_error(const type_sentence& what);

/// call(); whatever it throws is a SerializationError that begins with `what`.
template <class Call>
decltype(auto) serializing(const type_sentence& what, Call call) {
    try {
        return call();
    } catch (...) {
        throw_as_serialization_error(what);
    }
}

}  // namespace procpool::inline v0_1::detail::wire

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/serializing_impl.hpp"
#endif

#endif
