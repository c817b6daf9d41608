// SPDX-License-Identifier: MIT
// Sleeping until a word in shared memory changes, and changing it for those who sleep.
#ifndef PROCPOOL_DETAIL_OS_LINUX_FUTEX_HPP
#define PROCPOOL_DETAIL_OS_LINUX_FUTEX_HPP

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/thread_sanitizer.hpp"
#include "procpool/detail/os/timespec.hpp"

namespace procpool::inline v0_1::detail::os {

/// In memory that processes share. The kernel keeps no trace of a sleeper that dies.
using futex_word = std::atomic<std::uint32_t>;
static_assert(futex_word::is_always_lock_free && sizeof(futex_word) == sizeof(std::uint32_t));

/// Sleeps if `word` is `expected`, until somebody wakes it, or for no reason. @return false at the deadline
inline bool futex_wait(const futex_word& word, std::uint32_t expected, steady_time deadline) {
    const timespec until = to_timespec(deadline);
    // Of the two calls to wait, this is the one that takes a moment of the steady clock.
    const long result =
        ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected,
                  deadline == steady_time::max() ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (result == 0 || errno == EAGAIN || errno == EINTR) return true;
    if (errno == ETIMEDOUT) return false;
    throw_system_error(errno, "futex (wait)");
}

/// Wakes all who sleep on it.
inline void futex_wake(const futex_word& word) {
    checked(::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0), "futex (wake)");
}

enum class futex_change : unsigned { set = FUTEX_OP_SET, add = FUTEX_OP_ADD, add_bits = FUTEX_OP_OR };

/// Changes a word and wakes up to `most` of those who sleep on it. For whoever dies here that is one step:
/// where the change is, they have been woken.
inline void futex_change_and_wake(futex_word& word, futex_change how, int argument, int most = INT_MAX) {
    tell_thread_sanitizer_of_release(&word);
    const std::uint32_t change =
        FUTEX_OP(static_cast<std::uint32_t>(how), static_cast<std::uint32_t>(argument) & 0xfffu,
                 std::uint32_t{FUTEX_OP_CMP_EQ}, 0xfffu);
    // The call can wake a second group, and even of none it wakes one, if the old value is what is compared
    // with: -1, which the words here never are.
    checked(::syscall(SYS_futex, &word, FUTEX_WAKE_OP, most, nullptr, &word, change), "futex (wake)");
}

}  // namespace procpool::inline v0_1::detail::os

#endif
