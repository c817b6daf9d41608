// SPDX-License-Identifier: MIT
// What lies at an address of this process.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_MEMORY_MAP_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_MEMORY_MAP_HPP

#include <cstdint>
#include <string>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

/// What the system tells of the memory at an address; false if there is none that can be read.
inline bool query_memory(std::uintptr_t address, api::memory_information& found) noexcept {
    return ::VirtualQuery(reinterpret_cast<const void*>(address), api::as<_MEMORY_BASIC_INFORMATION>(&found),
                          sizeof found) != 0 &&
           found.state == api::mem_commit &&
           (found.protection & (api::page_no_access | api::page_guard)) == 0;
}

/// Names what holds `address`, for example "[stack]", "[heap]", the path of a program or "shared memory";
/// empty if nothing that can be read is there.
template <class = only_if_used>
std::string what_is_mapped_at(std::uintptr_t address) {
    api::memory_information found{};
    if (!query_memory(address, found)) return {};
    if (found.type == api::mem_image) {
        wchar_t path[4096];
        const unsigned long size =
            ::GetModuleFileNameW(static_cast<HINSTANCE__*>(found.allocation_base), path, 4096);
        return narrowed({path, size});
    }
    if (found.type == api::mem_mapped) return "shared memory";
    // This thread's stack is one allocation.
    api::memory_information own{};
    const bool known = query_memory(reinterpret_cast<std::uintptr_t>(&own), own);
    return known && own.allocation_base == found.allocation_base ? "[stack]" : "[heap]";
}

}  // namespace procpool::inline v0_1::detail::os

#endif
