// SPDX-License-Identifier: MIT
// Whether an object is the one that this process made, or a copy in a forked child.
#ifndef PROCPOOL_DETAIL_OS_FORK_STAMP_HPP
#define PROCPOOL_DETAIL_OS_FORK_STAMP_HPP

#include <atomic>

namespace procpool::inline v0_1::detail::os {

/// Number of forks between the first process and this one: an object remembers it to see that it has
/// become a copy in a child.
inline std::atomic<unsigned> fork_generation{0};

/// A member that remembers in which process the object was made. What isn't here must not be touched: its
/// memory, threads and descriptors may be something else's by now.
class fork_stamp {
public:
    bool is_here() const noexcept { return generation_ == fork_generation.load(std::memory_order_relaxed); }
    bool operator==(const fork_stamp&) const noexcept = default;

private:
    unsigned generation_ = fork_generation.load(std::memory_order_relaxed);
};

}  // namespace procpool::inline v0_1::detail::os

#endif
