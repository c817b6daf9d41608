// SPDX-License-Identifier: MIT
// Threads that wait, each for a condition of its own.
#ifndef PROCPOOL_DETAIL_JOB_WAIT_LIST_HPP
#define PROCPOOL_DETAIL_JOB_WAIT_LIST_HPP

#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/condition.hpp"
#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1::detail::job {

/// Only those are woken for whom it is time.
class wait_list {
public:
    /// Waits until somebody finds that `ready()`, or wakes it, or `until`.
    void wait(pool_lock& held, steady_time until, condition ready) PROCPOOL_REQUIRES(pool_mutex);

    bool empty() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return waiters_.empty(); }
    /// Wakes all whose condition is true.
    void notify_ready() PROCPOOL_REQUIRES(pool_mutex);
    /// Makes one, if there is any, check anew.
    void wake_one() PROCPOOL_REQUIRES(pool_mutex);
    /// Makes all check anew.
    void wake_all() PROCPOOL_REQUIRES(pool_mutex);

private:
    struct waiter;
    std::vector<waiter*> waiters_ PROCPOOL_GUARDED_BY(pool_mutex);
};

}  // namespace procpool::inline v0_1::detail::job

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/wait_list_impl.hpp"
#endif

#endif
