// SPDX-License-Identifier: MIT
// Numbers that nobody guesses.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_RANDOM_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_RANDOM_HPP

#include <cstdint>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/local_address.hpp"
#include "procpool/detail/os/windows/api.hpp"

namespace procpool::inline v0_1::detail::os {

/// Nobody guesses them. @throws std::system_error
inline random_words make_random_words() {
    // RtlGenRandom, which has this name in the library.
    using generate = unsigned char __stdcall(void*, unsigned long);
    static generate* const call = [] {
        ::LoadLibraryExW(L"advapi32.dll", nullptr, 0);
        return api::function_of<generate>(L"advapi32.dll", "SystemFunction036");
    }();
    random_words words;
    if (!call || !call(words.data(), sizeof words)) throw_last_error("RtlGenRandom");
    return words;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
