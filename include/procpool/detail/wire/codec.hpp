// SPDX-License-Identifier: MIT
// How a value becomes bytes and a value again: its bytes as they are, or cereal.
#ifndef PROCPOOL_DETAIL_WIRE_CODEC_HPP
#define PROCPOOL_DETAIL_WIRE_CODEC_HPP

#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/vector.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/os/large_write.hpp"
#include "procpool/detail/wire/archive.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/pointer_check.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Travels as its bytes.
template <class T>
concept flat = std::is_arithmetic_v<T> || std::is_enum_v<T> || plain_data<T>;

template <class T>
concept function_pointer = std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>;

template <class T>
concept raw_pointer = (std::is_pointer_v<T> && !function_pointer<T>) || std::is_null_pointer_v<T>;

/// cereal's public way to load_and_construct is a pointer, which <cereal/types/memory.hpp> knows.
template <class T>
concept rebuildable = std::is_default_constructible_v<T> ||
                      (cereal::traits::has_load_and_construct<T, input_archive>::value &&
                       cereal::traits::is_input_serializable<std::unique_ptr<T>, input_archive>::value);

/// encode() and decode() for T, and whether it can be sent at all; the general case is cereal's.
template <class T>
struct codec {
    static constexpr bool sendable = cereal::traits::is_output_serializable<T, output_archive>::value &&
                                     cereal::traits::is_input_serializable<T, input_archive>::value &&
                                     rebuildable<T>;

    static void encode(sink out, const T& value) {
        if constexpr (!std::is_default_constructible_v<T>) out.to.append_value(std::uint8_t{1});
        output_archive archive(out);
        archive(value);
    }

    static T decode(cursor& from) {
        input_archive archive(from);
        if constexpr (std::is_default_constructible_v<T>) {
            T value{};
            archive(value);
            return value;
        } else {
            // A pointer is a byte that says "not null", and the value.
            std::unique_ptr<T> value;
            archive(value);
            if (!value) throw SerializationError("procpool: a message holds no object where one must be");
            return std::move(*value);
        }
    }
};

template <flat T>
struct codec<T> {
    static constexpr bool sendable = true;
    static void encode(sink out, const T& value) {
        refuse_pointers(&value, 1);
        out.to.append_value(value);
    }
    static T decode(cursor& from) { return from.value<T>(); }
};

template <raw_pointer T>
struct codec<T> {
    static constexpr bool sendable = false;
};

template <function_pointer T>
struct codec<T> {
    static constexpr bool sendable = true;
    static void encode(sink out, T value) { encode_function(out.to, value); }
    static T decode(cursor& from) { return decode_function<std::remove_pointer_t<T>>(from); }
};

template <class T>
bool is_aligned(const std::byte* at) noexcept {
    return reinterpret_cast<std::uintptr_t>(at) % alignof(T) == 0;
}

template <class Char, class Traits, class Allocator>
struct codec<std::basic_string<Char, Traits, Allocator>> {
    using string = std::basic_string<Char, Traits, Allocator>;
    static constexpr bool sendable = true;
    static void encode(sink out, std::basic_string_view<Char, Traits> value) {
        append_bulk(out, value.data(), value.size() * sizeof(Char));
    }
    static string decode(cursor& from) {
        const auto bytes = take_bulk(from);
        const std::size_t count = bytes.size() / sizeof(Char);
        string value;
        if (is_aligned<Char>(bytes.data())) {
            value.reserve(count);
            os::expect_large_write(value.data(), bytes.size());
            value.assign(reinterpret_cast<const Char*>(bytes.data()), count);
        } else {
            value.resize(count);
            std::memcpy(value.data(), bytes.data(), count * sizeof(Char));
        }
        return value;
    }
};

template <class T, class Allocator>
struct codec<std::vector<T, Allocator>> {
    using vector = std::vector<T, Allocator>;
    static constexpr bool sendable = codec<T>::sendable;
    static constexpr bool in_bulk = flat<T> && !std::is_same_v<T, bool>;

    static void encode(sink out, const vector& value) {
        if constexpr (in_bulk) {
            refuse_pointers(value.data(), value.size());
            append_bulk(out, value.data(), value.size() * sizeof(T));
        } else {
            out.to.append_value(std::uint64_t{value.size()});
            for (const auto& element : value) {
                const std::size_t before = out.to.size();
                codec<T>::encode(out, element);
                // A number of elements is believed for their bytes, so each takes at least one.
                if (out.to.size() == before) out.to.append_value(std::byte{});
            }
        }
    }

    static vector decode(cursor& from) {
        if constexpr (in_bulk) {
            const auto bytes = take_bulk(from);
            const std::size_t count = bytes.size() / sizeof(T);
            if constexpr (std::is_copy_constructible_v<T> && std::is_copy_assignable_v<T>) {
                if (is_aligned<T>(bytes.data())) {
                    const T* const first = reinterpret_cast<const T*>(bytes.data());
                    vector value;
                    value.reserve(count);
                    os::expect_large_write(value.data(), bytes.size());
                    value.assign(first, first + count);
                    return value;
                }
            }
            if constexpr (std::is_default_constructible_v<T>) {
                vector value(count);
                if (!value.empty()) std::memcpy(value.data(), bytes.data(), value.size() * sizeof(T));
                return value;
            } else {
                vector value;
                cursor elements(bytes);
                while (elements.left() >= sizeof(T)) value.push_back(codec<T>::decode(elements));
                return value;
            }
        } else {
            const std::size_t count = from.claimed(from.value<std::uint64_t>());
            vector value;
            value.reserve(count);
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t before = from.left();
                value.push_back(codec<T>::decode(from));
                if (from.left() == before) from.take(1);
            }
            return value;
        }
    }
};

template <class... Elements>
struct codec<std::tuple<Elements...>> {
    static constexpr bool sendable = (codec<Elements>::sendable && ...);
    static void encode(sink out, const std::tuple<Elements...>& value) {
        std::apply([&](const Elements&... elements) { (codec<Elements>::encode(out, elements), ...); },
                   value);
    }
    static std::tuple<Elements...> decode(cursor& from) {
        return std::tuple<Elements...>{codec<Elements>::decode(from)...};  // braces: from left to right
    }
};

template <class First, class Second>
struct codec<std::pair<First, Second>> {
    static constexpr bool sendable = codec<First>::sendable && codec<Second>::sendable;
    static void encode(sink out, const std::pair<First, Second>& value) {
        codec<First>::encode(out, value.first);
        codec<Second>::encode(out, value.second);
    }
    static std::pair<First, Second> decode(cursor& from) {
        return std::pair<First, Second>{codec<First>::decode(from), codec<Second>::decode(from)};
    }
};

/// The value type in which an argument or a result travels: references and views become values.
template <class T>
struct wire_type {
    using type = T;
};
template <class T>
struct wire_type<T&> : wire_type<std::remove_cv_t<T>> {};
template <class T>
struct wire_type<T&&> : wire_type<std::remove_cv_t<T>> {};
template <class T>
struct wire_type<const T> : wire_type<T> {};
template <class Char, std::size_t N>
    requires std::is_same_v<Char, char> || std::is_same_v<Char, wchar_t>
struct wire_type<Char[N]> {
    using type = std::basic_string<Char>;
};
template <class Char, std::size_t N>
    requires std::is_same_v<Char, char> || std::is_same_v<Char, wchar_t>
struct wire_type<const Char[N]> {
    using type = std::basic_string<Char>;
};
template <class Char>
struct wire_type<std::basic_string_view<Char>> {
    using type = std::basic_string<Char>;
};
template <class T, std::size_t Extent>
struct wire_type<std::span<T, Extent>> {
    using type = std::vector<std::remove_cv_t<T>>;
};
template <>
struct wire_type<std::vector<bool>::reference> {
    using type = bool;
};
template <class R, class... Parameters>
struct wire_type<R(Parameters...)> {
    using type = R (*)(Parameters...);
};
template <class R, class... Parameters>
struct wire_type<R(Parameters...) noexcept> {
    using type = R (*)(Parameters...) noexcept;
};
template <class... Elements>
struct wire_type<std::tuple<Elements...>> {
    using type = std::tuple<typename wire_type<Elements>::type...>;
};
template <class First, class Second>
struct wire_type<std::pair<First, Second>> {
    using type = std::pair<typename wire_type<First>::type, typename wire_type<Second>::type>;
};
template <class T>
using wire_type_t = typename wire_type<T>::type;

/// Turns a value into its wire type: no copy where it has that type already.
template <class T>
decltype(auto) as_wire_type(const T& value) {
    using wire = wire_type_t<T>;
    if constexpr (std::is_same_v<wire, T> || std::is_convertible_v<const T&, std::string_view>)
        return (value);
    else if constexpr (requires { wire(value.begin(), value.end()); })
        return wire(value.begin(), value.end());
    else
        return static_cast<wire>(value);
}

template <class T>
inline constexpr bool is_tuple = false;
template <class... Elements>
inline constexpr bool is_tuple<std::tuple<Elements...>> = true;
template <class First, class Second>
inline constexpr bool is_tuple<std::pair<First, Second>> = true;

/// Appends `value` in its wire type; what the members of a tuple refer to is not copied before.
template <class T>
void encode(sink out, const T& value) {
    if constexpr (is_tuple<T>)
        std::apply([&](const auto&... members) { (encode(out, members), ...); }, value);
    else
        codec<wire_type_t<T>>::encode(out, as_wire_type(value));
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
