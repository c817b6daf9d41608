// SPDX-License-Identifier: MIT
// Probes are Linux's.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PROBES_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PROBES_HPP

#include <cstdint>

namespace procpool::inline v0_1::detail::os::probes {

inline void elements_end(std::uint64_t /*ended*/, std::int64_t /*ns*/, std::uint64_t /*count*/) noexcept {}
inline void call_begin(std::uint64_t /*job*/) noexcept {}
inline void call_end(std::uint64_t /*job*/) noexcept {}
inline void worker_start(std::uint32_t /*index*/, long /*pid*/) noexcept {}
inline void worker_end(std::uint32_t /*index*/, long /*pid*/) noexcept {}

}  // namespace procpool::inline v0_1::detail::os::probes

#endif
