// SPDX-License-Identifier: MIT
// WaitHook: lets a host, an interpreter for instance, interrupt what waits for results.
#ifndef PROCPOOL_WAIT_HOOK_HPP
#define PROCPOOL_WAIT_HOOK_HPP

#include <chrono>
#include <functional>
#include <utility>

#include "procpool/detail/job/poll_hook.hpp"

namespace procpool::inline v0_1 {

/// While it lives, this thread calls `poll()` about every `interval` as long as it waits for a pool or an
/// executor: in apply, map, get, next, join, result, wait and their kin.
///
/// If it throws, the wait ends with that. What the caller has a handle of goes on, and can be waited for
/// again: get(), next(), join(), futures; apply() and map() are given up, since nobody could ask for their
/// results. A ThreadPool waits then for elements that run. No lock is held; `poll()` may use the pool. Of
/// several hooks of a thread the newest counts; they must end in reverse order, in their thread. Destructors
/// wait without it.
///
///     procpool::WaitHook hook([] { if (interrupted) throw Interrupted(); });  // set by a signal's handler
class WaitHook {
public:
    /// `poll` must not be empty; an `interval` of 0 calls it without a pause.
    [[nodiscard("the hook ends with this object: give it a name")]] explicit WaitHook(
        std::function<void()> poll, std::chrono::nanoseconds interval = std::chrono::milliseconds(50))
        : hook_(std::move(poll), interval),
          before_(std::exchange(detail::job::poll_hook::current(), &hook_)) {}
    WaitHook(const WaitHook&) = delete;
    WaitHook& operator=(const WaitHook&) = delete;
    ~WaitHook() { detail::job::poll_hook::current() = before_; }

private:
    detail::job::poll_hook hook_;
    detail::job::poll_hook* const before_;
};

}  // namespace procpool::inline v0_1

#endif
