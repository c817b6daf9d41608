// SPDX-License-Identifier: MIT
// Threads that wait, each for a condition of its own.
#ifndef PROCPOOL_DETAIL_JOB_WAIT_LIST_HPP
#define PROCPOOL_DETAIL_JOB_WAIT_LIST_HPP

#include <condition_variable>
#include <mutex>
#include <vector>

#include "procpool/detail/clock.hpp"

namespace procpool::detail::job {

/// Only those are woken for whom it is time. All functions are called with the lock held.
class wait_list {
public:
    /// Waits until somebody finds that `ready()`, or wakes it, or `until`.
    template <class Ready>
    void wait(std::unique_lock<std::mutex>& held, steady_time until, const Ready& ready) {
        waiter me{[](const void* test) { return (*static_cast<const Ready*>(test))(); }, &ready};
        waiters_.push_back(&me);
        if (until == steady_time::max())
            me.woken.wait(held);
        else
            me.woken.wait_until(held, until);
        std::erase(waiters_, &me);
    }

    bool empty() const noexcept { return waiters_.empty(); }
    /// Wakes all whose condition is true.
    void notify_ready() {
        for (waiter* one : waiters_)
            if (one->ready(one->test)) one->woken.notify_one();
    }
    /// Makes one, if there is any, check anew.
    void wake_one() {
        if (!waiters_.empty()) waiters_.front()->woken.notify_one();
    }

private:
    struct waiter {
        bool (*ready)(const void*);
        const void* test;
        std::condition_variable woken{};
    };
    std::vector<waiter*> waiters_;
};

}  // namespace procpool::detail::job

#endif
