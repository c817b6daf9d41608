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
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/probes.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/calls_in_a_row.hpp"
#include "procpool/detail/scheduler/deliveries.hpp"
#include "procpool/detail/scheduler/element_notes.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/peer_events.hpp"
#include "procpool/detail/scheduler/peer_state.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/scheduler/scheduler_core.hpp"
#include "procpool/detail/scheduler/supervisor.hpp"
#include "procpool/detail/scheduler/task_timing.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::scheduler {

template <class = only_if_used>
class basic_scheduler : public scheduler_core {
    using base = scheduler_core;

public:
    using lock = base::lock;

    std::size_t size() const noexcept override { return group_.size(); }
    void resize(int /*workers*/) override PROCPOOL_REQUIRES(pool_mutex) {
        job::refuse("this pool can't be resized");
    }

    // ---- what calls ask

    void add(const std::shared_ptr<remote_job>& job) override PROCPOOL_REQUIRES(pool_mutex) {
        require_running();
        in_a_row_.close();  // what comes later than this job goes behind it
        job->id = ++last_id_;
        job->timing = &timings_.of(job->definition());
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
        if (job->journal) [[unlikely]] {
            for (block& some : deliveries_.take_known(job, std::move(elements)))
                dispatcher_.add(job, std::move(some));
            interrupt_driver();
        } else {
            dispatcher_.add(job, std::move(elements));
        }
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
        give_up(std::static_pointer_cast<remote_job>(given_up), what_runs,
                job::make_error<TaskCancelled>(why));
        return true;
    }

    bool abandon_call(const std::shared_ptr<job::basic_job>& job, std::uint64_t call,
                      const char* why) override PROCPOOL_REQUIRES(pool_mutex) {
        const auto series = std::static_pointer_cast<remote_job>(job);
        if (!series->elements_are_calls()) return abandon(job, running::is_ended, why);
        if (!series->give_up(call, job::make_error<TaskCancelled>(why), ns_of(clock_.now()))) return false;
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) {
            bool runs = false;
            for (peer* const one : group_.peers()) {
                if (!one->work().has(*series, call)) continue;
                give_up_in(*one);
                runs = runs || one->work().has(*series, call);
            }
            if (series->observed && !runs)
                element_notes::ended_here(*series, call, element_outcome::cancelled);
            dispatcher_.drop(*series, call);
            tries_.drop(*series, call);
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
            if (!job->gives_back) tries_.end_delays(*job);
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
        const std::int64_t now = ns_of(clock_.now());
        for (const block& some : job->withdraw_ready())
            for (std::uint64_t i = some.first; i < some.first + some.count; ++i)
                if (job->gives_back || !job->give_up(i, error, now))
                    deliveries_.fail(job, i, error);
                else if (job->observed)
                    element_notes::ended_here(*job, i, element_outcome::cancelled);
        finish_if_complete(job);
        interrupt_driver();
        return count - job->ready_elements;
    }

    bool has_waiting(const job::basic_job& job) const override PROCPOOL_REQUIRES(pool_mutex) {
        const auto peers = group_.peers();
        return job.ready_elements > 0 || tries_.has(job) ||
               std::any_of(peers.begin(), peers.end(), [&](const peer* one) { return waits_in(*one, job); });
    }

    bool withdraw_call(lock& /*held*/, const std::shared_ptr<job::basic_job>& job, std::uint64_t call,
                       const char* why) override PROCPOOL_REQUIRES(pool_mutex) {
        const auto series = std::static_pointer_cast<remote_job>(job);
        if (!series->elements_are_calls()) return withdraw(job, why) > 0;
        or_fail([&]() PROCPOOL_REQUIRES(pool_mutex) {
            for (peer* const one : group_.peers())
                if (waits_in(*one, *series, call)) dispatcher_.take_back(*one);
        });
        interrupt_driver();  // others that were taken back are to be given out
        return series->is_ready(call) && abandon_call(job, call, why);
    }
    bool is_waiting(const job::basic_job& job, std::uint64_t call) const override
        PROCPOOL_REQUIRES(pool_mutex) {
        const auto& series = static_cast<const remote_job&>(job);
        if (!series.elements_are_calls()) return has_waiting(job);
        const auto peers = group_.peers();
        return series.is_ready(call) || std::any_of(peers.begin(), peers.end(), [&](const peer* one) {
                   return waits_in(*one, series, call);
               });
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
        interrupt_driver();  // calls that wait for room wait no longer
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
    /// Whether elements are ready, and all peers run others that take long.
    bool is_stuck() const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        const auto peers = group_.peers();
        return dispatcher_.has_ready() && std::all_of(peers.begin(), peers.end(), [](const peer* one) {
                   return one->is(peer_state::stalled);
               });
    }

    // ---- a step of whoever drives: what the host calls, in this order

    /// Gives out what is ready. @return when there is something to do for the scheduler, as far as known
    steady_time begin_step() PROCPOOL_REQUIRES(pool_mutex) {
        in_a_row_.note_driver();
        tries_.end_due();
        if (memory_) [[unlikely]]
            check_memory();
        dispatcher_.dispatch();
        if (has_something_at_hand()) return steady_time::min();
        steady_time due = std::min(tries_.next(), memory_due());
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
            held, callbacks_, events_.initializer(),
            [this](delivery& one) PROCPOOL_REQUIRES(pool_mutex) {
                using kind = delivery::kind;
                if (one.what == kind::runs_again)
                    tries_.add(one.job, std::move(one.history->again->element));
                else if (one.what != kind::values && one.what != kind::kept && one.job->note_failures(1))
                    abandon(one.job, running::goes_on, one.job->why_dropped().c_str());
                if (one.job->journal && one.job->journal->write_error() && !one.job->complete())
                    give_up(one.job, running::is_ended, one.job->journal->write_error());
                finish_if_complete(one.job);
            },
            [this](const delivery& one) PROCPOOL_REQUIRES(pool_mutex) {
                one.job->fail_all(std::current_exception());
                finish_if_complete(one.job);
            });
        const auto& initializer = events_.initializer();
        if (initializer && initializer->failure()) fail(initializer->failure());
    }

protected:
    using base::base;

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
    /// Whether this element of it does.
    static bool waits_in(const peer& one, const remote_job& job, std::uint64_t index) noexcept {
        return one.work().elements() > 0 && one.work().has_waiting(job, index, one.told().claimed());
    }
    /// Elements that were sent ahead while there was memory enough come back when there isn't any more.
    void check_memory() PROCPOOL_REQUIRES(pool_mutex) {
        memory_->begin_step();
        if (!memory_->is_to_be_taken_back()) return;
        for (peer* const one : group_.peers())
            if (one->can_work() && one->work().elements() > 1) dispatcher_.take_back(*one);
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
};
using scheduler = basic_scheduler<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
