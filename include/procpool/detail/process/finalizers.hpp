// SPDX-License-Identifier: MIT
// What the workers of a pool run before they leave, and what comes of it.
#ifndef PROCPOOL_DETAIL_PROCESS_FINALIZERS_HPP
#define PROCPOOL_DETAIL_PROCESS_FINALIZERS_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/process/worker_processes.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/finalizer_job.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1::detail::process {

/// A finalizer is a worker's last element: so its death, its time limit and its result are those of elements.
///
/// With the pool's lock held.
template <class = only_if_used>
class basic_finalizers {
public:
    /// `job` is null where workers have nothing to run.
    basic_finalizers(worker_processes& workers, std::shared_ptr<scheduler::finalizer_job> job)
        : workers_(workers), job_(std::move(job)) {}

    /// Lets a worker that has nothing else to do run it; false if it has done so, or there is nothing to run.
    bool give(worker_link& link) PROCPOOL_REQUIRES(pool_mutex) {
        if (!job_ || link.finalized || link.work().elements() > 0) return false;
        if (!link.is_alive() || !link.tasks()) return false;  // it has died meanwhile
        scheduler::block element{.first = job_->begin(workers_.slot_of(link), link.told_pid()),
                                 .count = 1,
                                 .stride = wire::variable_stride,
                                 .bytes = {},
                                 .pins = {}};
        element.bytes.append_value(std::uint64_t{0});  // the size of its arguments
        link.finalized = true;
        link.leaving = true;
        link.finalized_by = deadline_in(job_->timeout);
        link.give(job_, std::move(element));
        link.check_at = std::min(link.check_at, link.finalized_by);
        workers_.send(link);
        return true;
    }
    /// Lets all run it that may work. For the end of the pool.
    void give_all() PROCPOOL_REQUIRES(pool_mutex) {
        for (worker_link& link : workers_.links())
            if (link.can_work()) give(link);
    }

    /// Whether somebody runs it, or it isn't known yet how that ended.
    bool pending() const noexcept {
        if (!job_) return false;
        return job_->delivering() || std::ranges::any_of(workers_.links(), [](const worker_link& link) {
                   return link.finalized && !link.is(scheduler::peer_state::absent) &&
                          link.work().elements() > 0;
               });
    }

    std::vector<FinalizerResult> results() const PROCPOOL_REQUIRES(pool_mutex) {
        return job_ ? job_->ends() : std::vector<FinalizerResult>();
    }

private:
    worker_processes& workers_;
    const std::shared_ptr<scheduler::finalizer_job> job_;
};
using finalizers = basic_finalizers<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
