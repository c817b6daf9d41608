// SPDX-License-Identifier: MIT
// Memory that another process has, and has had at most: not told here.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PROCESS_MEMORY_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PROCESS_MEMORY_HPP

#include <cstdint>
#include <optional>

namespace procpool::inline v0_1::detail::os {

/// Bytes that are resident.
struct resident_memory {
    std::uint64_t now = 0;
    std::uint64_t peak = 0;
};

inline std::optional<resident_memory> resident_memory_of(long /*pid*/) { return std::nullopt; }
inline void forget_peak_memory(long /*pid*/) {}

}  // namespace procpool::inline v0_1::detail::os

#endif
