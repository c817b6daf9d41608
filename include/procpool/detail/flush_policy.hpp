// SPDX-License-Identifier: MIT
// How long work and results are kept back on their way, to be sent in batches: few messages.
#ifndef PROCPOOL_DETAIL_FLUSH_POLICY_HPP
#define PROCPOOL_DETAIL_FLUSH_POLICY_HPP

#include <chrono>

namespace procpool::inline v0_1::detail {

/// Times that belong together: results must come, and more work with them, well before a worker has done what
/// it was sent ahead.
struct flush_policy {
    /// So much work lets a worker go on while its results travel. More would be missing elsewhere when
    /// elements take unequal times.
    std::chrono::nanoseconds ahead;
    /// So long a worker keeps results of quick elements.
    std::chrono::nanoseconds held_back;
    /// Results that have not come by themselves after this time may wait behind a slow element: the pool
    /// collects them.
    std::chrono::nanoseconds collected_after;
};

/// Where somebody may see each result as it comes.
inline constexpr flush_policy interactive{std::chrono::milliseconds(1), std::chrono::microseconds(250),
                                          std::chrono::milliseconds(1)};
/// Where nobody sees a result before all are there.
inline constexpr flush_policy bulk{std::chrono::milliseconds(16), std::chrono::milliseconds(6),
                                   std::chrono::milliseconds(10)};

/// Which of the two a job gets.
constexpr const flush_policy& flush_policy_for(bool seen_as_a_whole) noexcept {
    return seen_as_a_whole ? bulk : interactive;
}

}  // namespace procpool::inline v0_1::detail

#endif
