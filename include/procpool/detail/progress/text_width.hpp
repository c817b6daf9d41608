// SPDX-License-Identifier: MIT
// How many columns of a terminal a text takes.
#ifndef PROCPOOL_DETAIL_PROGRESS_TEXT_WIDTH_HPP
#define PROCPOOL_DETAIL_PROGRESS_TEXT_WIDTH_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "procpool/detail/utf8.hpp"

namespace procpool::inline v0_1::detail::progress {

/// The code of a valid UTF-8 character.
constexpr char32_t code_point(std::string_view character) noexcept {
    const auto byte = [character](std::size_t i) { return static_cast<unsigned char>(character[i]); };
    if (character.size() == 1) return byte(0);
    char32_t code = byte(0) & (0x7fU >> character.size());
    for (std::size_t i = 1; i < character.size(); ++i) code = (code << 6U) | (byte(i) & 0x3fU);
    return code;
}

/// Marks that stand on the character before take none; East Asian characters and pictures two. Not by
/// wcwidth(), which knows only the locale that the program has set, if any.
constexpr int columns_of(char32_t code) noexcept {
    using range = std::pair<char32_t, char32_t>;
    constexpr std::array none{range{0x300, 0x36f},   range{0x483, 0x489},   range{0x591, 0x5bd},
                              range{0x610, 0x61a},   range{0x64b, 0x65f},   range{0x1ab0, 0x1aff},
                              range{0x1dc0, 0x1dff}, range{0x200b, 0x200f}, range{0x20d0, 0x20f0},
                              range{0xfe00, 0xfe0f}, range{0xfe20, 0xfe2f}, range{0xe0100, 0xe01ef}};
    constexpr std::array two{range{0x1100, 0x115f},   range{0x2e80, 0x303e},   range{0x3041, 0xa4cf},
                             range{0xa960, 0xa97f},   range{0xac00, 0xd7a3},   range{0xf900, 0xfaff},
                             range{0xfe30, 0xfe6f},   range{0xff00, 0xff60},   range{0xffe0, 0xffe6},
                             range{0x1f300, 0x1f64f}, range{0x1f680, 0x1f6ff}, range{0x1f900, 0x1f9ff},
                             range{0x20000, 0x3fffd}};
    const auto has_code = [code](const range& one) { return one.first <= code && code <= one.second; };
    if (std::ranges::any_of(none, has_code)) return 0;
    return std::ranges::any_of(two, has_code) ? 2 : 1;
}

/// Of valid UTF-8 without control characters.
constexpr int columns_of(std::string_view text) noexcept {
    int columns = 0;
    while (!text.empty()) {
        const std::size_t size = std::max<std::size_t>(utf8_character(text), 1);
        columns += columns_of(code_point(text.substr(0, size)));
        text.remove_prefix(size);
    }
    return columns;
}

/// The beginning of valid UTF-8 that takes `most` columns at the most.
constexpr std::string_view cut_to_columns(std::string_view text, int most) noexcept {
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t size = std::max<std::size_t>(utf8_character(rest), 1);
        most -= columns_of(code_point(rest.substr(0, size)));
        if (most < 0) break;
        rest.remove_prefix(size);
    }
    return text.substr(0, text.size() - rest.size());
}

/// A text of the user's as one that a terminal shows in one line, whatever is in it: a control character
/// becomes a blank.
inline std::string printable(std::string_view bytes) {
    std::string text;
    while (!bytes.empty()) {
        const std::size_t before = text.size();
        append_character(text, bytes);
        const char32_t code = code_point(std::string_view(text).substr(before));
        if (text.size() - before <= 2 && (code < 0x20 || (code >= 0x7f && code < 0xa0))) {
            text.resize(before);
            text += ' ';
        }
    }
    return text;
}

/// For terminals that show nothing else.
inline std::string as_ascii(std::string_view utf8) {
    std::string text;
    for (; !utf8.empty(); utf8.remove_prefix(std::max<std::size_t>(utf8_character(utf8), 1)))
        text += static_cast<unsigned char>(utf8.front()) < 0x80 ? utf8.front() : '?';
    return text;
}

}  // namespace procpool::inline v0_1::detail::progress

#endif
