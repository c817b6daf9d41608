// SPDX-License-Identifier: MIT
// A pool's jobs: which element is where, what becomes of results, and what a peer's death means.
//
// Each element is in exactly one place: ready in its job, with a peer, among the deliveries, or ended. It
// knows peers, a clock and a lock, and neither processes nor pipes; who has those derives from it.
#ifndef PROCPOOL_DETAIL_SCHEDULER_SCHEDULER_HPP
#define PROCPOOL_DETAIL_SCHEDULER_SCHEDULER_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/callback_runner.hpp"
#include "procpool/detail/job/job_list.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/os/probes.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/calls_in_a_row.hpp"
#include "procpool/detail/scheduler/deliveries.hpp"
#include "procpool/detail/scheduler/dispatcher.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/peer_events.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/scheduler/supervisor.hpp"
#include "procpool/detail/scheduler/task_timing.hpp"
#include "procpool/detail/scheduler/timing_table.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/error.hpp"
#include "procpool/observer.hpp"

namespace procpool::inline v0_1::detail::scheduler {

struct scheduler_options {
    std::uint64_t max_elements_per_peer = ~std::uint64_t{0};
    std::chrono::nanoseconds terminate_grace{0};
    std::function<void(std::exception_ptr)> error_handler;
    /// Run by each new peer before anything else; none if null.
    std::shared_ptr<remote_job> initializer;
};

template <class = only_if_used>
class basic_scheduler : public pool_backend {
public:
    std::size_t size() const noexcept override { return group_.size(); }
    void resize(int /*workers*/) override PROCPOOL_REQUIRES(pool_mutex) {
        job::refuse("this pool can't be resized");
    }

    // ---- what calls ask

    void add(const std::shared_ptr<remote_job>& job) override PROCPOOL_REQUIRES(pool_mutex) {
        require_running();
        in_a_row_.close();  // what comes later than this job goes behind it
        job->id = ++last_id_;
        job->timing = &timings_.of(job->definition().bytes());
        os::probes::call_begin(job->id);
        if (observed() || job->observed) begin_observed(*job);
        jobs_.add(job);
    }

    void submit(const std::shared_ptr<remote_job>& job, block&& elements) override
        PROCPOOL_REQUIRES(pool_mutex) {
        job->add_submitted(elements.count);
        job->expected -= std::min(job->expected, elements.count);
        // Chunks save messages, which cost nothing beside such elements.
        if (elements.large.bytes >= elements.count * wire::arena_threshold) job->chunk = 1;
        if (job->failure() || job->abandoned) return;
        dispatcher_.add(job, std::move(elements));
        dispatch(should_batch(*job) ? dispatcher::sending::together : dispatcher::sending::now);
    }

    void submit_to_each(const std::shared_ptr<remote_job>& job, const block& arguments) override
        PROCPOOL_REQUIRES(pool_mutex) {
        job->for_each_peer = true;
        job->timing = nullptr;  // nothing is to be moved to another worker for their sake
        job->add_submitted(size());
        for (std::uint64_t n = 0; n < size(); ++n) {
            block one = arguments.element(0);
            one.first = n;
            dispatcher_.push_back(job, std::move(one));
        }
        dispatch(dispatcher::sending::now);
    }

    calls_in_a_row& in_a_row() noexcept override PROCPOOL_REQUIRES(pool_mutex) { return in_a_row_; }

    void submit_call(const std::shared_ptr<call_series>& series, std::size_t bytes) override
        PROCPOOL_REQUIRES(pool_mutex) {
        series->add_submitted(1);
        if (series->submitted() > 1) ++last_id_;  // its own, as if it were a job
        dispatcher_.appended(series, bytes);
        const bool batched = should_batch(*series);
        if (batched && !series->full() && series->ready_elements < dispatcher::min_batch * size()) return;
        // As many more are to come, so that they aren't dealt out in ever smaller shares.
        series->expected = batched && !series->full() ? series->ready_elements : 0;
        dispatch(dispatcher::sending::now);
    }

    void submit_failed(const std::shared_ptr<remote_job>& job, std::uint64_t index,
                       std::exception_ptr error) override PROCPOOL_REQUIRES(pool_mutex) {
        job->add_submitted(1);
        if (job->elements_are_calls() && job->submitted() > 1) ++last_id_;
        job->expected -= std::min<std::uint64_t>(job->expected, 1);
        deliveries_.fail(job, index, std::move(error), element_outcome::not_sent);
        interrupt_driver();
    }

    void seal(const std::shared_ptr<remote_job>& job) override PROCPOOL_REQUIRES(pool_mutex) {
        job->seal();
        if (!job->complete()) return;
        finish_if_complete(job);
        interrupt_driver();
    }

    bool abandon(const std::shared_ptr<job::basic_job>& given_up, running what_runs, const char* why) override
        PROCPOOL_REQUIRES(pool_mutex) {
        if (given_up->complete() || given_up->settled()) return false;
        const auto job = std::static_pointer_cast<remote_job>(given_up);
        job->abandoned = true;
        in_a_row_.forget(*job);
        if (what_runs == running::is_ended) job->end_running_since = ns_of(clock_.now());
        job->drop_ready();
        job->fail_all(job::make_error<TaskCancelled>(why));
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) {
            for (peer* const one : group_.peers())
                if (one->work().has(*job)) give_up_in(*one);
            finish_if_complete(job);
        });
        interrupt_driver();  // there may be callbacks to run
        return true;
    }

    bool abandon_call(const std::shared_ptr<job::basic_job>& job, std::uint64_t call,
                      const char* why) override PROCPOOL_REQUIRES(pool_mutex) {
        const auto series = std::static_pointer_cast<remote_job>(job);
        if (!series->elements_are_calls()) return abandon(job, running::is_ended, why);
        if (!series->give_up(call, job::make_error<TaskCancelled>(why), ns_of(clock_.now()))) return false;
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) {
            for (peer* const one : group_.peers())
                if (one->work().has(*series, call)) give_up_in(*one);
            dispatcher_.drop(*series, call);
            finish_if_complete(series);
        });
        interrupt_driver();  // there may be callbacks to run
        return true;
    }

    std::uint64_t withdraw(const std::shared_ptr<job::basic_job>& wanted, const char* why) override
        PROCPOOL_REQUIRES(pool_mutex) {
        if (wanted->complete() || wanted->settled()) return 0;
        const auto job = std::static_pointer_cast<remote_job>(wanted);
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) {
            for (peer* const one : group_.peers())
                if (waits_in(*one, *job)) dispatcher_.take_back(*one);
            deliveries_.make_room(job->ready_elements);  // or some would be lost
        });
        if (job->failure()) return 0;
        const std::uint64_t count = job->ready_elements;
        if (job->sealed() && count == job->submitted() && !job->gives_back) {
            abandon(job, running::goes_on, why);
            return count;
        }
        const auto error = job->error_of_withdrawn(why);
        job->error_when_withdrawn = error;
        for (const block& some : job->withdraw_ready())
            for (std::uint64_t i = 0; i < some.count; ++i) deliveries_.fail(job, some.first + i, error);
        interrupt_driver();
        return count - job->ready_elements;
    }

    bool has_waiting(const job::basic_job& job) const override PROCPOOL_REQUIRES(pool_mutex) {
        const auto peers = group_.peers();
        return job.ready_elements > 0 ||
               std::any_of(peers.begin(), peers.end(), [&](const peer* one) { return waits_in(*one, job); });
    }

    void wind_up(const char* why) override PROCPOOL_REQUIRES(pool_mutex) {
        close();
        const std::vector<std::shared_ptr<remote_job>> jobs = jobs_.open();
        for (const auto& job : jobs) {
            if (why) withdraw(job, why);
            seal(job);
        }
    }

    void close() override PROCPOOL_REQUIRES(pool_mutex) {
        closed_ = true;
        in_a_row_.close();
    }

    std::chrono::nanoseconds ask_workers_to_end() override PROCPOOL_REQUIRES(pool_mutex) {
        set_terminated();
        fail(job::make_error<PoolTerminated>("procpool: the pool's workers were terminated"));
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) {
            for (peer* const one : group_.peers())
                if (one->has_started() && one->is_alive()) group_.end(*one, peer_group::ending::asked);
        });
        return supervisor_.terminate_grace();
    }
    bool has_workers() const override PROCPOOL_REQUIRES(pool_mutex) {
        const auto peers = group_.peers();
        return std::any_of(peers.begin(), peers.end(),
                           [](const peer* one) { return !one->is(peer_state::absent); });
    }
    void run_callback(const std::function<void()>& callback) const noexcept override {
        callbacks_.run(callback);
    }

    // ---- a step of whoever drives: what the host calls, in this order

    /// Gives out what is ready. @return when there is something to do for the scheduler, as far as known
    steady_time begin_step() PROCPOOL_REQUIRES(pool_mutex) {
        in_a_row_.note_driver();
        dispatcher_.dispatch();
        if (has_something_at_hand()) return steady_time::min();
        steady_time due = steady_time::max();
        for (const peer* one : group_.peers()) due = std::min(due, one->check_at);
        return due;
    }
    /// Whether a step has something to do, though nothing comes and no time passes.
    bool has_something_at_hand() const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        if (observed() && observed()->has_events()) return true;
        return deliveries_.has_local() || (jobs_.has_callbacks() && !callbacks_wait(*this));
    }
    /// Whether the result of one quick element is all that is to come.
    bool awaits_one_quick_call() {
        peer* only = nullptr;
        for (peer* const one : group_.peers()) {
            if (one->work().elements() == 0) continue;
            if (only || one->work().elements() > 1) return false;
            only = one;
        }
        const auto call = only ? only->first_unanswered() : std::nullopt;
        const task_timing* const timing = call ? call->of->job->timing : nullptr;
        return timing && timing->quick();
    }

    /// What came without peers while nobody drove is part of this step.
    void take_local_results() PROCPOOL_REQUIRES(pool_mutex) { deliveries_.begin_step(); }
    peer_events& events() noexcept PROCPOOL_REQUIRES(pool_mutex) { return events_; }

    void give_out() PROCPOOL_REQUIRES(pool_mutex) {
        dispatcher_.dispatch();
        dispatcher_.relieve_busiest();
    }

    /// Results go into their jobs.
    void deliver(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        deliveries_.deliver(
            held, events_.initializer(),
            [this](const delivery& one) PROCPOOL_REQUIRES(pool_mutex) {
                if (one.job->fail_fast && one.what != delivery::kind::values)
                    abandon(one.job, running::goes_on,
                            "procpool: dropped, since another element had failed (fail_fast)");
                finish_if_complete(one.job);
            },
            [this](const delivery& one) PROCPOOL_REQUIRES(pool_mutex) {
                one.job->fail_all(std::current_exception());
                finish_if_complete(one.job);
            });
        const auto& initializer = events_.initializer();
        if (initializer && initializer->failure()) fail(initializer->failure());
    }

    void run_callbacks(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        tell_observers(held);
        while (auto next = callbacks_wait(*this) ? std::nullopt : jobs_.begin_callbacks()) {
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
    basic_scheduler(scheduler_options options, peer_group& group, const time_source& clock)
        : group_(group),
          clock_(clock),
          supervisor_(group, clock, options.terminate_grace),
          dispatcher_(group, supervisor_, options.max_elements_per_peer, options.initializer),
          in_a_row_(*this),
          events_(group, dispatcher_, supervisor_, deliveries_, std::move(options.initializer)),
          callbacks_(std::move(options.error_handler)) {}

    /// Whoever drives checks the state anew.
    virtual void interrupt_driver() PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Before callbacks run in this thread: somebody goes on with the work.
    virtual void hand_over() PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// No job is open any more.
    virtual void notice_pause() PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Until when whoever drives sleeps; the earliest time if nobody does.
    steady_time sleeps_until_ = steady_time::min();

    /// After group_ has got another size: what has no place any more gives back what it has not begun, and
    /// leaves when it has run the rest.
    void retire_peers() PROCPOOL_REQUIRES(pool_mutex) {
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) { dispatcher_.fit_to_size(); });
        interrupt_driver();
    }

private:
    /// Whether elements of the job wait in this peer.
    static bool waits_in(const peer& one, const job::basic_job& job) noexcept {
        return one.work().elements() > 0 && one.work().has_waiting(job, one.told().claimed());
    }
    void give_up_in(peer& one) PROCPOOL_REQUIRES(pool_mutex) {
        dispatcher_.take_back(one);
        supervisor_.check_after(one, cancel_grace);
    }

    void begin_observed(remote_job& job) PROCPOOL_REQUIRES(pool_mutex) {
        job::begin_call(*this, job);
        interrupt_driver();
    }

    /// Whether a task that was submitted waits for others, since to send each of many quick ones by itself
    /// would cost more than they do. The last of them are sent by whoever drives next.
    bool should_batch(const remote_job& job) noexcept PROCPOOL_REQUIRES(pool_mutex) {
        const bool nobody_sleeps = sleeps_until_ == steady_time::min();
        return in_a_row_.note_submitted() && nobody_sleeps && job.timing->quick();
    }
    /// The caller can't give back what it has submitted.
    void dispatch(dispatcher::sending when) PROCPOOL_REQUIRES(pool_mutex) {
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) {
            if (dispatcher_.dispatch(when) < sleeps_until_) interrupt_driver();
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

    peer_group& group_;
    const time_source& clock_;
    supervisor supervisor_;
    dispatcher dispatcher_ PROCPOOL_GUARDED_BY(pool_mutex);
    calls_in_a_row in_a_row_ PROCPOOL_GUARDED_BY(pool_mutex);
    deliveries deliveries_ PROCPOOL_GUARDED_BY(pool_mutex);
    peer_events events_ PROCPOOL_GUARDED_BY(pool_mutex);
    const job::callback_runner callbacks_;
    std::uint64_t last_id_ = 0;
    job::job_list<remote_job> jobs_ PROCPOOL_GUARDED_BY(pool_mutex);
    timing_table timings_;
};
using scheduler = basic_scheduler<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
