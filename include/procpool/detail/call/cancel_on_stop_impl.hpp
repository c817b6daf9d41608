// SPDX-License-Identifier: MIT
// How a request to stop reaches a call.
#ifndef PROCPOOL_DETAIL_CALL_CANCEL_ON_STOP_IMPL_HPP
#define PROCPOOL_DETAIL_CALL_CANCEL_ON_STOP_IMPL_HPP

#include <memory>
#include <stop_token>
#include <utility>

#include "procpool/detail/call/cancel_on_stop.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/runner.hpp"

namespace procpool::inline v0_1::detail::call {

template <class>
void cancel_on_stop(const std::shared_ptr<job::runner>& pool, const std::shared_ptr<job::basic_job>& job,
                    const std::stop_token& stop) {
    if (!stop.stop_possible()) return;
    const auto cancel = [weak_pool = std::weak_ptr(pool), weak_job = std::weak_ptr(job)] {
        const auto its_pool = weak_pool.lock();
        const auto stopped = weak_job.lock();
        if (!its_pool || !stopped || its_pool->is_copy()) return;
        auto lock = its_pool->acquire();
        its_pool->abandon(stopped, job::runner::running::is_ended,
                          "procpool: the call was cancelled by its stop_token");
        its_pool->leave(lock);
    };
    auto callback = std::make_shared<std::stop_callback<decltype(cancel)>>(stop, cancel);
    const auto lock = pool->acquire();
    if (!job->settled()) job->pins.push_back(std::move(callback));
}

}  // namespace procpool::inline v0_1::detail::call

#endif
