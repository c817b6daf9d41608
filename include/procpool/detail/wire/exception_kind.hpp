// SPDX-License-Identifier: MIT
// How one type of exception travels: by its text, by cereal, or as it says itself.
#ifndef PROCPOOL_DETAIL_WIRE_EXCEPTION_KIND_HPP
#define PROCPOOL_DETAIL_WIRE_EXCEPTION_KIND_HPP

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/detail/wire/codec.hpp"

namespace procpool::inline v0_1::detail::wire {

/// An E with the exception that is being handled when it is made: where it comes from.
template <class E>
struct with_origin : E, std::nested_exception {
    explicit with_origin(E&& error) : E(std::move(error)) {}
};

/// Throws `error`, with its origin unless its class can't take that.
template <class E>
[[noreturn]] void throw_with_origin(E error) {
    if constexpr (std::is_final_v<E> || std::is_base_of_v<std::nested_exception, E>)
        throw error;
    else
        throw with_origin<E>(std::move(error));
}

/// How one type of exception travels.
struct exception_kind {
    const std::type_info* type;
    void (*save)(const std::exception& error, sink out);
    void (*rethrow)(cursor& from);  // called while its origin is being handled
};

inline void save_text(const std::exception& error, sink out) { encode(out, std::string_view(error.what())); }
inline void save_nothing(const std::exception&, sink) {}

template <class E>
void rethrow_from_text(cursor& from) {
    throw_with_origin(E(codec<std::string>::decode(from)));
}
template <class E>
void rethrow_empty(cursor&) {
    throw_with_origin(E());
}

/// A type that is rebuilt from its text.
template <class E>
exception_kind kind_from_text() {
    return {&typeid(E), &save_text, &rethrow_from_text<E>};
}

/// A type that has nothing to tell but itself.
template <class E>
exception_kind kind_without_text() {
    return {&typeid(E), &save_nothing, &rethrow_empty<E>};
}

/// A type that cereal serialises.
template <class E>
exception_kind kind_by_cereal() {
    return {
        &typeid(E),
        [](const std::exception& error, sink out) { codec<E>::encode(out, dynamic_cast<const E&>(error)); },
        [](cursor& from) { throw_with_origin(codec<E>::decode(from)); }};
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
