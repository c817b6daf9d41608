// SPDX-License-Identifier: MIT
// The text around described arguments.
#ifndef PROCPOOL_DETAIL_WIRE_DESCRIBE_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_DESCRIBE_IMPL_HPP

#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/utf8.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/describe.hpp"

namespace procpool::inline v0_1::detail::wire {

inline constexpr std::size_t longest_description = 100;

PROCPOOL_COMPILED_APART void append_quoted(std::string& text, std::string_view value) {
    text += '"';
    while (!value.empty() && text.size() < longest_description) {
        const auto first = static_cast<unsigned char>(value.front());
        if (first >= ' ' && first != 127) {
            append_character(text, value);
        } else {
            text += '?';
            value.remove_prefix(1);
        }
    }
    text += '"';
}

PROCPOOL_COMPILED_APART void append_bool(std::string& text, bool value) { text += value ? "true" : "false"; }
PROCPOOL_COMPILED_APART void append_number(std::string& text, long long value) {
    text += std::to_string(value);
}
PROCPOOL_COMPILED_APART void append_number(std::string& text, unsigned long long value) {
    text += std::to_string(value);
}
PROCPOOL_COMPILED_APART void append_number(std::string& text, double value) { text += std::to_string(value); }
PROCPOOL_COMPILED_APART void append_number(std::string& text, long double value) {
    text += std::to_string(value);
}

PROCPOOL_COMPILED_APART void append_type(std::string& text, const std::type_info& type) {
    text.append("a ").append(type_name(type));
}

PROCPOOL_COMPILED_APART std::string describe_each(std::span<const std::byte> arguments,
                                                  append_description* const* each, std::size_t count) try {
    cursor from(arguments);
    std::string text;
    std::size_t n = 0;
    for (bool can_be_printed = true; can_be_printed && n < count; ++n) {
        if (n > 0) text += ", ";
        can_be_printed = each[n](text, from);
        if (!can_be_printed && n + 1 < count) text += ", ...";
    }
    if (text.size() > longest_description) {
        cut_off(text, longest_description);
        text += "...";
    }
    return text;
} catch (const std::exception&) {
    return {};
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
