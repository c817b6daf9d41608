// SPDX-License-Identifier: MIT
// Orders what one process writes to shared memory, as another one sees it.
#ifndef PROCPOOL_DETAIL_FENCE_HPP
#define PROCPOOL_DETAIL_FENCE_HPP

#include <atomic>

namespace procpool::inline v0_1::detail {

// The thread sanitizer doesn't know fences; it sees one process only and needs none here.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
/// All reads and writes before this come before all after it.
inline void fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace procpool::inline v0_1::detail

#endif
