// SPDX-License-Identifier: MIT
// How much memory there is left.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_AVAILABLE_MEMORY_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_AVAILABLE_MEMORY_HPP

#include <cstdint>
#include <limits>
#include <string>

#include "procpool/detail/os/windows/api.hpp"

namespace procpool::inline v0_1::detail::os {

inline constexpr std::uint64_t unknown_memory = std::numeric_limits<std::uint64_t>::max();

/// Bytes that can still be promised; `unknown_memory` if nothing can be found out.
inline std::uint64_t available_memory(const std::string& /*root*/ = "") {
    api::memory_status status{};
    status.size = sizeof status;
    return ::GlobalMemoryStatusEx(api::as<_MEMORYSTATUSEX>(&status)) ? status.commit_left : unknown_memory;
}

/// Bytes that the machine has.
inline std::uint64_t physical_memory() noexcept {
    api::memory_status status{};
    status.size = sizeof status;
    return ::GlobalMemoryStatusEx(api::as<_MEMORYSTATUSEX>(&status)) ? status.physical : 0;
}

// The system keeps what it has promised: who gets memory has it, and nobody needs to look before.
inline bool is_worth_a_check(std::uint64_t /*size*/) noexcept { return false; }
inline std::uint64_t memory_left() { return available_memory(); }
inline bool has_memory_for(std::uint64_t /*size*/) { return true; }

}  // namespace procpool::inline v0_1::detail::os

#endif
