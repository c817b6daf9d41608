// SPDX-License-Identifier: MIT
// The jobs and the peers of a scheduler, and how jobs come to their ends.
#ifndef PROCPOOL_DETAIL_SCHEDULER_SCHEDULER_CORE_HPP
#define PROCPOOL_DETAIL_SCHEDULER_SCHEDULER_CORE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/callback_runner.hpp"
#include "procpool/detail/job/job_list.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/os/probes.hpp"
#include "procpool/detail/scheduler/calls_in_a_row.hpp"
#include "procpool/detail/scheduler/delayed_tries.hpp"
#include "procpool/detail/scheduler/deliveries.hpp"
#include "procpool/detail/scheduler/dispatcher.hpp"
#include "procpool/detail/scheduler/memory_admission.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/peer_events.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/supervisor.hpp"
#include "procpool/detail/scheduler/timing_table.hpp"
#include "procpool/observer.hpp"

namespace procpool::inline v0_1::detail::scheduler {

struct scheduler_options {
    std::uint64_t max_elements_per_peer = ~std::uint64_t{0};
    std::chrono::nanoseconds terminate_grace{0};
    std::function<void(std::exception_ptr)> error_handler;
    /// Run by each new peer before anything else; none if null.
    std::shared_ptr<remote_job> initializer;
    /// Of memory that is to be left when another element begins; it is not looked at without.
    std::optional<memory_reserve> memory = {};
};

/// What calls ask, and what whoever drives does step by step, is in scheduler.
template <class = only_if_used>
class basic_scheduler_core : public pool_backend {
public:
    void run_callback(const std::function<void()>& callback) const noexcept override {
        callbacks_.run(callback);
    }

    void run_callbacks(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        while (auto next = begin_callbacks(held)) {
            hand_over();
            {
                const job::unlocked meanwhile(held);
                for (const auto& callback : next->callbacks) run_callback(callback);
                next->callbacks.clear();
            }
            const auto job = std::static_pointer_cast<remote_job>(next->owner);
            jobs_.end_callbacks(*next);
            if (!job->settled()) finish_if_complete(job);  // they were of its elements
            interrupt_driver();                            // it may be the one that waits for this
        }
    }
    /// The next that are due. Those of a job's end come after observers were told of it.
    auto begin_callbacks(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        tell_observers(held);
        return callbacks_wait(*this) ? std::nullopt : jobs_.begin_callbacks();
    }
    void tell_observers(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        if (!observed() || !observed()->has_events()) return;
        hand_over();
        observed()->tell(held, callbacks_);
    }
    /// Lets go of what jobs that are over referred to.
    void destroy_retired(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        wire::pins retired = jobs_.take_retired();
        if (retired.empty()) return;
        const job::unlocked meanwhile(held);
        retired.clear();
    }

    /// The pool can't go on: every pending and later call gets this error.
    void fail(const std::exception_ptr& error) PROCPOOL_REQUIRES(pool_mutex) {
        if (failure_) return;
        failure_ = error;
        dispatcher_.clear();
        tries_.clear();
        for (std::size_t left = jobs_.open().size(); left > 0; --left) {  // a job that is complete leaves
            const std::shared_ptr<remote_job> job = jobs_.open()[left - 1];
            in_a_row_.forget(*job);
            job->abandoned = true;  // what peers still send comes too late: the caller may be reading
            job->drop_ready();
            job->listed = false;
            job->fail_all(error);
            finish_if_complete(job);
        }
        interrupt_driver();
    }

    bool has_open_jobs() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return !jobs_.open().empty(); }
    bool has_jobs() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return !jobs_.empty(); }
    /// Whether something of the user's is still to be run after a step.
    bool has_callbacks() const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        return jobs_.has_callbacks() || (observed() && observed()->has_events());
    }
    bool in_callback() const noexcept { return callbacks_.running_here(); }

protected:
    basic_scheduler_core(scheduler_options options, peer_group& group, const time_source& clock)
        : group_(group),
          clock_(clock),
          supervisor_(group, clock, options.terminate_grace),
          dispatcher_(group, supervisor_, options.max_elements_per_peer, options.initializer),
          tries_(dispatcher_, clock),
          in_a_row_(*this),
          events_(group, dispatcher_, tries_, supervisor_, deliveries_, std::move(options.initializer)),
          callbacks_(std::move(options.error_handler)) {
        if (!options.memory) return;
        memory_.emplace(group, clock, std::move(*options.memory));
        dispatcher_.use(*memory_);
        events_.use(*memory_);
    }

    bool may_wait_here() const noexcept override PROCPOOL_REQUIRES(pool_mutex) {
        return !in_callback() && !is_driven_here() && !(observed() && observed()->is_told_here());
    }
    /// Whether this thread is in code of the user's that a step has called.
    virtual bool is_driven_here() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return false; }
    /// Whoever drives checks the state anew.
    virtual void interrupt_driver() PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Before callbacks run in this thread: somebody goes on with the work.
    virtual void hand_over() PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// No job is open any more.
    virtual void notice_pause() PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Until when whoever drives sleeps; the earliest time if nobody does.
    steady_time sleeps_until_ = steady_time::min();

    /// The caller can't give back what it has submitted.
    void dispatch(dispatcher::sending when) PROCPOOL_REQUIRES(pool_mutex) {
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) {
            const steady_time next_check = dispatcher_.dispatch(when);
            if (std::min(next_check, memory_due()) < sleeps_until_) interrupt_driver();
        });
    }
    /// What fails in it fails the pool, as in a step.
    template <class Work>
    void or_fail(Work work) PROCPOOL_REQUIRES(pool_mutex) {
        const os::cancellation_deferred until_it_ends;
        try {
            work();
        } catch (...) {
            fail(std::current_exception());
        }
    }

    void finish_if_complete(const std::shared_ptr<remote_job>& job) PROCPOOL_REQUIRES(pool_mutex) {
        if (job->has_all_results() && in_a_row_.forget(*job)) job->seal();
        const bool refers = !job->pins.empty();
        if (!jobs_.complete(job)) return;
        os::probes::call_end(job->id);
        if (job->observed && observed()) observed()->end(*job);
        if (jobs_.open().empty()) notice_pause();
        if (!job->once() && !failure_) group_.forget(*job, refers);
    }

    /// What has no result gets `why`.
    void give_up(const std::shared_ptr<remote_job>& job, job::runner::running what_runs,
                 std::exception_ptr why) PROCPOOL_REQUIRES(pool_mutex) {
        job->abandoned = true;
        in_a_row_.forget(*job);
        if (what_runs == job::runner::running::is_ended) job->end_running_since = ns_of(clock_.now());
        job->drop_ready();
        tries_.drop(*job);
        job->fail_all(std::move(why));
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) {
            for (peer* const one : group_.peers())
                if (one->work().has(*job)) give_up_in(*one);
            finish_if_complete(job);
        });
        interrupt_driver();  // there may be callbacks to run
    }
    void give_up_in(peer& one) PROCPOOL_REQUIRES(pool_mutex) {
        dispatcher_.take_back(one);
        supervisor_.ask_unwanted_to_stop(one);
        supervisor_.check_after(one, cancel_grace);
    }
    /// When elements that wait for memory are to be given out again.
    steady_time memory_due() const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        return memory_ ? memory_->due() : steady_time::max();
    }

    // ---- its parts

    peer_group& group_;
    const time_source& clock_;
    supervisor supervisor_;
    dispatcher dispatcher_ PROCPOOL_GUARDED_BY(pool_mutex);
    delayed_tries tries_ PROCPOOL_GUARDED_BY(pool_mutex);
    calls_in_a_row in_a_row_ PROCPOOL_GUARDED_BY(pool_mutex);
    deliveries deliveries_ PROCPOOL_GUARDED_BY(pool_mutex);
    peer_events events_ PROCPOOL_GUARDED_BY(pool_mutex);
    const job::callback_runner callbacks_;
    std::uint64_t last_id_ = 0;
    job::job_list<remote_job> jobs_ PROCPOOL_GUARDED_BY(pool_mutex);
    timing_table timings_;
    std::optional<memory_admission> memory_ PROCPOOL_GUARDED_BY(pool_mutex);
};
using scheduler_core = basic_scheduler_core<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
