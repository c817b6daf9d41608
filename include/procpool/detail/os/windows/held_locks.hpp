// SPDX-License-Identifier: MIT
// How many locks a thread holds that the system frees when it dies: any number.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_HELD_LOCKS_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_HELD_LOCKS_HPP

namespace procpool::inline v0_1::detail::os {

class held_locks {
public:
    static constexpr bool are_most() noexcept { return false; }
};

}  // namespace procpool::inline v0_1::detail::os

#endif
