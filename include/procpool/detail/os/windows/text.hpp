// SPDX-License-Identifier: MIT
// Text as the system takes it.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_TEXT_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_TEXT_HPP

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "procpool/detail/os/local_address.hpp"
#include "procpool/detail/os/windows/api.hpp"

namespace procpool::inline v0_1::detail::os {

/// Of UTF-8; what isn't that becomes question marks.
inline std::wstring widened(std::string_view text) {
    std::wstring wide(text.size(), L'\0');
    const int size = ::MultiByteToWideChar(api::utf8, 0, text.data(), static_cast<int>(text.size()),
                                           wide.data(), static_cast<int>(wide.size()));
    wide.resize(static_cast<std::size_t>(std::max(0, size)));
    return wide;
}
inline std::string narrowed(std::wstring_view text) {
    std::string narrow(3 * text.size(), '\0');
    const int size = ::WideCharToMultiByte(api::utf8, 0, text.data(), static_cast<int>(text.size()),
                                           narrow.data(), static_cast<int>(narrow.size()), nullptr, nullptr);
    narrow.resize(static_cast<std::size_t>(std::max(0, size)));
    return narrow;
}

/// 32 hexadecimal digits.
inline std::wstring digits_of(const random_words& words) {
    std::wstring digits;
    for (const std::uint64_t word : words)
        for (int shift = 60; shift >= 0; shift -= 4) digits += L"0123456789abcdef"[word >> shift & 15];
    return digits;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
