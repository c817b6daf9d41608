// SPDX-License-Identifier: MIT
// Threads that wait, each for a condition of its own.
#ifndef PROCPOOL_DETAIL_JOB_WAIT_LIST_HPP
#define PROCPOOL_DETAIL_JOB_WAIT_LIST_HPP

#include <condition_variable>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/mutex.hpp"

namespace procpool::detail::job {

/// Only those are woken for whom it is time.
class wait_list {
public:
    /// Waits until somebody finds that `ready()`, or wakes it, or `until`.
    template <class Ready>
    void wait(pool_lock& held, steady_time until, const Ready& ready) PROCPOOL_REQUIRES(pool_mutex) {
        waiter me{[](const void* test)
                      PROCPOOL_REQUIRES(pool_mutex) { return (*static_cast<const Ready*>(test))(); },
                  &ready};
        waiters_.push_back(&me);
        if (until == steady_time::max())
            me.woken.wait(held.native());
        else
            me.woken.wait_until(held.native(), until);
        std::erase(waiters_, &me);
    }

    bool empty() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return waiters_.empty(); }
    /// Wakes all whose condition is true.
    void notify_ready() PROCPOOL_REQUIRES(pool_mutex) {
        for (waiter* one : waiters_)
            if (one->ready(one->test)) one->woken.notify_one();
    }
    /// Makes one, if there is any, check anew.
    void wake_one() PROCPOOL_REQUIRES(pool_mutex) {
        if (!waiters_.empty()) waiters_.front()->woken.notify_one();
    }

private:
    struct waiter {
        bool (*ready)(const void*);
        const void* test;
        std::condition_variable woken{};
    };
    std::vector<waiter*> waiters_ PROCPOOL_GUARDED_BY(pool_mutex);
};

}  // namespace procpool::detail::job

#endif
