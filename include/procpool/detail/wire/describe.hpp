// SPDX-License-Identifier: MIT
// Encoded arguments as a short text, for messages.
#ifndef PROCPOOL_DETAIL_WIRE_DESCRIBE_HPP
#define PROCPOOL_DETAIL_WIRE_DESCRIBE_HPP

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/detail/wire/codec.hpp"

namespace procpool::inline v0_1::detail::wire {

void append_quoted(std::string& text, std::string_view value);
void append_bool(std::string& text, bool value);
void append_number(std::string& text, long long value);
void append_number(std::string& text, unsigned long long value);
void append_number(std::string& text, double value);
void append_number(std::string& text, long double value);
void append_type(std::string& text, const std::type_info& type);

/// Appends the next value as text; false if a T can't be printed (then `from` is where it was).
template <class T>
struct description {
    static bool append(std::string& text, cursor&) {
        append_type(text, typeid(T));
        return false;
    }
};
template <class T>
    requires std::is_arithmetic_v<T>
struct description<T> {
    static bool append(std::string& text, cursor& from) {
        const T value = codec<T>::decode(from);
        if constexpr (std::is_same_v<T, bool>)
            append_bool(text, value);
        else if constexpr (std::is_same_v<T, char>)
            append_quoted(text, std::string_view(&value, 1));
        else if constexpr (std::is_same_v<T, float>)
            append_number(text, static_cast<double>(value));
        else if constexpr (std::is_floating_point_v<T>)
            append_number(text, value);
        else if constexpr (std::is_signed_v<T>)
            append_number(text, static_cast<long long>(value));
        else
            append_number(text, static_cast<unsigned long long>(value));
        return true;
    }
};
template <class T>
    requires std::is_enum_v<T>
struct description<T> : description<std::underlying_type_t<T>> {};
template <>
struct description<std::string> {
    static bool append(std::string& text, cursor& from) {
        const auto bytes = take_bulk(from);
        append_quoted(text, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        return true;
    }
};
template <class... Elements>
struct description<std::tuple<Elements...>> {
    static bool append(std::string& text, cursor& from) {
        text += '(';
        std::size_t n = 0;
        const bool all = ((text += n++ > 0 ? ", " : "", description<Elements>::append(text, from)) && ...);
        text += all ? ")" : ", ...)";
        return all;
    }
};
template <class First, class Second>
struct description<std::pair<First, Second>> : description<std::tuple<First, Second>> {};

using append_description = bool(std::string& text, cursor& from);
std::string describe_each(std::span<const std::byte> arguments, append_description* const* each,
                          std::size_t count);

/// The arguments of a call, encoded one after the other, as UTF-8.
template <class... Args>
std::string describe(std::span<const std::byte> arguments) {
    static constexpr append_description* each[] = {&description<Args>::append..., nullptr};
    return describe_each(arguments, each, sizeof...(Args));
}

}  // namespace procpool::inline v0_1::detail::wire

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/describe_impl.hpp"
#endif

#endif
