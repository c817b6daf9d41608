// SPDX-License-Identifier: MIT
// How many locks a thread holds that the kernel frees when it dies.
#ifndef PROCPOOL_DETAIL_OS_LINUX_HELD_LOCKS_HPP
#define PROCPOOL_DETAIL_OS_LINUX_HELD_LOCKS_HPP

#include <atomic>
#include <cerrno>
#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fork_stamp.hpp"

namespace procpool::inline v0_1::detail::os {

/// The kernel follows a thread's list of held locks so far and no further (ROBUST_LIST_LIMIT): those that it
/// doesn't get to stay locked for ever.
class held_locks {
public:
    static constexpr unsigned most = 2048;

    /// Whether this thread holds so many already. To be asked before each is added.
    static bool are_most() noexcept {
        count& held = here();
        // A forked child holds none.
        const unsigned generation = fork_generation.load(std::memory_order_relaxed);
        if (held.generation != generation) [[unlikely]]
            held = {0, generation};
        return held.number >= most;
    }
    [[noreturn]] static void refuse() {
        throw_system_error(ENOLCK,
                           "a thread can't hold more than " + std::to_string(most) +
                               " locks, those included that a call has for a moment: the kernel would "
                               "free no more if it were killed");
    }

    static void add() noexcept { ++here().number; }
    static void remove() noexcept { --here().number; }

private:
    struct count {
        unsigned number = 0;
        unsigned generation = 0;
    };

    static count& here() noexcept {
        constinit thread_local count held;
        return held;
    }
};

}  // namespace procpool::inline v0_1::detail::os

#endif
