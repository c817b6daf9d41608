// SPDX-License-Identifier: MIT
// The name of a thread, as debuggers show it.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_THREAD_NAME_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_THREAD_NAME_HPP

#include <string>

#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

inline void name_this_thread(const std::string& name) noexcept {
    using set = long __stdcall(void*, const wchar_t*);  // since Windows 10 1607
    static auto* const call = api::function_of<set>(L"kernel32.dll", "SetThreadDescription");
    try {
        if (call) call(::GetCurrentThread(), widened(name).c_str());
    } catch (...) {  // it's only a name
    }
}

inline void name_this_process_after_program() noexcept {}

}  // namespace procpool::inline v0_1::detail::os

#endif
