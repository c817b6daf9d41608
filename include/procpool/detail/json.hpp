// SPDX-License-Identifier: MIT
// Strings as JSON has them.
#ifndef PROCPOOL_DETAIL_JSON_HPP
#define PROCPOOL_DETAIL_JSON_HPP

#include <cstdio>
#include <string>
#include <string_view>

#include "procpool/detail/utf8.hpp"

namespace procpool::inline v0_1::detail {

/// Appends `value` with its quotes; what is no UTF-8 is escaped as valid_utf8() has it.
inline void append_json_string(std::string& to, std::string_view value) {
    to += '"';
    for (const char c : valid_utf8(value)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            to += '\\';
            to += c;
        } else if (byte < 0x20 || c == '<') {  // which may begin an end of a script
            char code[8];
            std::snprintf(code, sizeof code, "\\u%04x", byte);
            to += code;
        } else {
            to += c;
        }
    }
    to += '"';
}

}  // namespace procpool::inline v0_1::detail

#endif
