// SPDX-License-Identifier: MIT
// A scheduler that who waits drives: what pools of processes and pools of nodes have in common.
#ifndef PROCPOOL_DETAIL_PROCESS_DRIVEN_SCHEDULER_HPP
#define PROCPOOL_DETAIL_PROCESS_DRIVEN_SCHEDULER_HPP

#include <exception>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/process/driver.hpp"
#include "procpool/detail/scheduler/ending_scheduler.hpp"
#include "procpool/detail/scheduler/peer.hpp"

namespace procpool::inline v0_1::detail::process {

template <class = only_if_used>
class basic_driven_scheduler : public scheduler::ending_scheduler, private driven {
    using base = scheduler::ending_scheduler;

public:
    using lock = base::lock;

    bool is_own_thread() const noexcept override { return driver_.is_standby_driver(); }

    void leave(lock& held) override PROCPOOL_REQUIRES(pool_mutex) { driver_.leave(held); }

protected:
    basic_driven_scheduler(scheduler::scheduler_options options, scheduler::peer_group& group,
                           const time_source& clock)
        : base(std::move(options), group, clock), driver_(*this, waiters()) {}

    bool help(lock& held, steady_time deadline, job::basic_job* /*awaited*/) override
        PROCPOOL_REQUIRES(pool_mutex) {
        if (observed()) observed()->note_wait();
        return driver_.help(held, deadline);
    }
    void interrupt_driver() override PROCPOOL_REQUIRES(pool_mutex) { driver_.interrupt(); }
    bool is_driven_here() const noexcept override PROCPOOL_REQUIRES(pool_mutex) {
        return driver_.drives_here();
    }
    bool has_work() const override PROCPOOL_REQUIRES(pool_mutex) {
        return has_open_jobs() || has_callbacks() || ends_after_step_;
    }

    driver driver_;

private:
    void changed() override PROCPOOL_REQUIRES(pool_mutex) { driver_.interrupt(); }
    void hand_over() override PROCPOOL_REQUIRES(pool_mutex) { driver_.hand_over(); }
    lock take_lock() override PROCPOOL_ACQUIRE(pool_mutex) PROCPOOL_NO_THREAD_SAFETY_ANALYSIS {
        return acquire();
    }
    void fail_all(const std::exception_ptr& error) override PROCPOOL_REQUIRES(pool_mutex) { fail(error); }

    void after_step(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        run_callbacks(held);
        if (std::exchange(ends_after_step_, false)) {
            shut_down(held, false);
            run_callbacks(held);
        }
        destroy_retired(held);
    }
    /// In a result's load().
    bool postpones_end() override PROCPOOL_REQUIRES(pool_mutex) {
        return driver_.drives_here() && (ends_after_step_ = true);
    }

    /// It was terminated by what a step has called.
    bool ends_after_step_ PROCPOOL_GUARDED_BY(pool_mutex) = false;
};
using driven_scheduler = basic_driven_scheduler<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
