// SPDX-License-Identifier: MIT
// How threads wait and are woken.
#ifndef PROCPOOL_DETAIL_JOB_WAIT_LIST_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_WAIT_LIST_IMPL_HPP

#include <condition_variable>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/wait_list.hpp"

namespace procpool::inline v0_1::detail::job {

struct wait_list::waiter {
    condition ready;
    std::condition_variable woken{};
};

PROCPOOL_COMPILED_APART void wait_list::wait(pool_lock& held, steady_time until, condition ready) {
    waiter me{ready};
    waiters_.push_back(&me);
    if (until == steady_time::max())
        me.woken.wait(held.native());
    else
        me.woken.wait_until(held.native(), until);
    std::erase(waiters_, &me);
}

PROCPOOL_COMPILED_APART void wait_list::notify_ready() {
    for (waiter* one : waiters_)
        if (one->ready()) one->woken.notify_one();
}

PROCPOOL_COMPILED_APART void wait_list::wake_one() {
    if (!waiters_.empty()) waiters_.front()->woken.notify_one();
}

PROCPOOL_COMPILED_APART void wait_list::wake_all() {
    for (waiter* one : waiters_) one->woken.notify_one();
}

}  // namespace procpool::inline v0_1::detail::job

#endif
