// SPDX-License-Identifier: MIT
// register_exception<E>(): lets exceptions of your own type come back from workers as that type.
#ifndef PROCPOOL_REGISTER_EXCEPTION_HPP
#define PROCPOOL_REGISTER_EXCEPTION_HPP

#include <exception>
#include <string>
#include <type_traits>

#include "procpool/detail/wire/error_record.hpp"

namespace procpool::inline v0_1 {

/// Makes exceptions of type E arrive as E instead of RemoteError.
///
/// Write it once, at namespace scope, so that workers know it too:
/// `const bool registered = procpool::register_exception<MyError>();`
/// E derives from std::exception, and is either serialisable by cereal or made from its what() text.
/// @return false if it was registered before.
template <class E>
bool register_exception() {
    static_assert(std::is_base_of_v<std::exception, E>,
                  "procpool: a registered exception must derive from std::exception");
    constexpr bool by_cereal = !detail::wire::plain_data<E> && detail::wire::codec<E>::sendable;
    static_assert(by_cereal || std::is_constructible_v<E, const std::string&>,
                  "procpool: a registered exception needs a constructor that takes its text, or a serialize "
                  "function for cereal");
    if constexpr (by_cereal)
        return detail::wire::exception_registry::instance().add(detail::wire::kind_by_cereal<E>());
    else
        return detail::wire::exception_registry::instance().add(detail::wire::kind_from_text<E>());
}

}  // namespace procpool::inline v0_1

#endif
