// SPDX-License-Identifier: MIT
// Messages quote bytes of the user's, and are valid UTF-8 all the same.
#ifndef PROCPOOL_DETAIL_UTF8_HPP
#define PROCPOOL_DETAIL_UTF8_HPP

#include <cstddef>
#include <string>
#include <string_view>

namespace procpool::inline v0_1::detail {

/// Bytes of the UTF-8 character in front; 0 if there is none.
constexpr std::size_t utf8_character(std::string_view text) noexcept {
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (text.empty()) return 0;
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    const std::size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (text.size() < size) return 0;
    for (std::size_t i = 1; i < size; ++i)
        if ((byte(i) & 0xc0U) != 0x80) return 0;
    // Longer than need be, a half of a surrogate pair, or beyond U+10FFFF.
    const unsigned second = byte(1);
    const bool none = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
                      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
    return none ? 0 : size;
}

/// Appends the character in front of `bytes`, or the first byte as \xNN, and takes it away there.
inline void append_character(std::string& text, std::string_view& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    const std::size_t size = utf8_character(bytes);
    if (size > 0) {
        text.append(bytes.substr(0, size));
    } else {
        const auto byte = static_cast<unsigned char>(bytes.front());
        text.append({'\\', 'x', digits[byte / 16U], digits[byte % 16U]});
    }
    bytes.remove_prefix(size > 0 ? size : 1);
}

/// The same text; bytes that are no UTF-8 as \xNN.
inline std::string valid_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) append_character(text, bytes);
    return text;
}

/// Cuts valid text off behind `most` bytes at the most, between two characters.
inline void cut_off(std::string& text, std::size_t most) {
    if (text.size() <= most) return;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0U) == 0x80) --most;
    text.resize(most);
}

}  // namespace procpool::inline v0_1::detail

#endif
