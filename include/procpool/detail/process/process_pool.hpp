// SPDX-License-Identifier: MIT
// Runs jobs in worker processes: the life of a pool, and one step of whoever drives it.
#ifndef PROCPOOL_DETAIL_PROCESS_PROCESS_POOL_HPP
#define PROCPOOL_DETAIL_PROCESS_PROCESS_POOL_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/process/driven_scheduler.hpp"
#include "procpool/detail/process/driver.hpp"
#include "procpool/detail/process/finalizers.hpp"
#include "procpool/detail/process/pauses.hpp"
#include "procpool/detail/process/spin_then_sleep.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/process/worker_notes.hpp"
#include "procpool/detail/process/worker_processes.hpp"
#include "procpool/detail/process/worker_status.hpp"
#include "procpool/detail/process/worker_turnover.hpp"
#include "procpool/detail/process/worker_watch.hpp"
#include "procpool/detail/scheduler/finalizer_job.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/scheduler.hpp"
#include "procpool/detail/zygote/starter.hpp"
#include "procpool/error.hpp"
#include "procpool/pool_status.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::process {

struct process_pool_options {
    worker_process_options workers;
    std::uint64_t max_elements_per_worker = ~std::uint64_t{0};
    std::chrono::nanoseconds idle_timeout = job::no_limit;
    std::chrono::nanoseconds terminate_grace{0};
    std::function<void(std::exception_ptr)> error_handler;
    std::vector<std::shared_ptr<Observer>> observers;
    bool keeps_statistics = false;
    std::optional<scheduler::memory_reserve> memory = {};
    /// Run by each worker that leaves in peace; null if there is nothing to run.
    std::shared_ptr<scheduler::finalizer_job> finalizer = nullptr;
};

template <class = only_if_used>
class basic_process_pool final : public driven_scheduler {
    using base = driven_scheduler;
    using peer_state = scheduler::peer_state;

public:
    using lock = base::lock;

    explicit basic_process_pool(process_pool_options options)
        : base({.max_elements_per_peer = options.max_elements_per_worker,
                .terminate_grace = options.terminate_grace,
                .error_handler = std::move(options.error_handler),
                .initializer = options.workers.initializer,
                .memory = std::move(options.memory)},
               workers_, clock_),
          quote_arguments_(options.workers.quote_arguments),
          workers_(std::move(options.workers), driver_.interruption(), driver_.watch(), driver::key_news),
          arena_(workers_.memory_for_arguments()),
          watch_(*this, workers_),
          turnover_(*this, workers_),
          finalizers_(workers_, std::move(options.finalizer)),
          pauses_(workers_, options.idle_timeout) {
        lock held = acquire();
        try {
            job::observe_pool(*this, std::move(options.observers), options.keeps_statistics,
                              workers_.links().size());
            if (observed()) observed()->quotes_arguments = quote_arguments_;
            workers_.launch_all();
            driver_.start();  // while workers are being born
            wait_for_start(held);
            driver_.begin_to_watch_news();
            pauses_.begin();
        } catch (...) {
            shut_down(held, false);
            throw;
        }
    }

    ~basic_process_pool() override {
        lock held = acquire();
        shut_down(held, false);
        driver_.join(held);
    }

    const std::shared_ptr<wire::arena>& arena() const noexcept override { return arena_; }

    std::vector<WorkerStatus> workers() override PROCPOOL_REQUIRES(pool_mutex) {
        return statuses_of(workers_.links(), size(), has_ended(), quote_arguments_);
    }
    void add(const std::shared_ptr<scheduler::remote_job>& job) override PROCPOOL_REQUIRES(pool_mutex) {
        base::add(job);
        if (workers_.is_resting()) [[unlikely]] {
            workers_.rest_no_more();
            interrupt_driver();
        }
    }
    bool has_workers() const override PROCPOOL_REQUIRES(pool_mutex) {
        return !is_shutting_down() && base::has_workers();
    }
    void resize(int workers) override PROCPOOL_REQUIRES(pool_mutex) {
        require_running();
        workers_.resize(workers);
        retire_peers();
    }

    Statistics stats(lock& /*held*/) override PROCPOOL_REQUIRES(pool_mutex) {
        Statistics all{.age = std::chrono::steady_clock::now() - made_, .workers = turnover_.accounts()};
        if (observed()) observed()->add_statistics(all);
        return all;
    }

    std::vector<FinalizerResult> finalizer_results() const override PROCPOOL_REQUIRES(pool_mutex) {
        return finalizers_.results();
    }

    void leave(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        if (workers_.lacks_zygote()) driver_.move_on(held);
        base::leave(held);
    }

private:
    using base::driver_;

    // ---- who drives

    const os::fd& news() const override PROCPOOL_REQUIRES(pool_mutex) { return workers_.news(); }

    bool has_work() const override PROCPOOL_REQUIRES(pool_mutex) {
        return base::has_work() || watch_.has_dying() || workers_.has_lost() || workers_.restarts().due() ||
               std::min(pauses_.due(), workers_.zygote_due()) != steady_time::max() ||
               std::any_of(workers_.links().begin(), workers_.links().end(), [](const worker_link& link) {
                   // Who is to leave does so after its initializer.
                   return link.check_at != steady_time::max() || (link.retired && link.work().elements() > 0);
               });
    }

    // ---- one step: poll without the lock, then settle, give out, deliver and keep house with it

    void step(lock& held, steady_time until) override PROCPOOL_REQUIRES(pool_mutex) {
        try {
            until = std::min(until, due());
            const std::vector<worker_link*> dead = std::exchange(watch_.dying(), {});
            poll(held, until, dead);
            settle(dead);
            give_out();
            deliver(held);
            keep_house(held, !dead.empty());
            notify_ready();
        } catch (...) {
            events().collected().clear();
            fail(std::current_exception());
            workers_.restarts().cancel();
        }
    }

    /// When there is something to do though nothing comes.
    steady_time due() PROCPOOL_REQUIRES(pool_mutex) {
        steady_time until = begin_step();
        if (watch_.has_dying()) return steady_time::min();
        if (workers_.restarts().due())
            until = std::min(until, *workers_.restarts().due());
        else if (workers_.lacks_zygote() && !failure_ && !finalizing_)
            until = leaves_zygote_to_program() ? std::min(until, deadline_in(program_check_interval))
                                               : steady_time::min();
        if (has_open_jobs() || !workers_.is_idle()) until = std::min(until, watch_.health_check_due());
        return std::min({until, pauses_.due(), workers_.zygote_due()});
    }

    /// Waits, and receives what comes.
    void poll(lock& held, steady_time until, const std::vector<worker_link*>& dead)
        PROCPOOL_REQUIRES(pool_mutex) {
        const bool for_quick_call = awaits_one_quick_call();
        sleeps_until_ = until;
        driver_.news_are_read();  // by this step, if there are any
        readable_.clear();
        writable_.clear();
        zygote_has_news_ = false;
        {
            const job::unlocked meanwhile(held);
            wait_and_receive(until, dead, for_quick_call);
        }
        sleeps_until_ = steady_time::min();
    }
    /// What workers_ is asked for here doesn't change while somebody drives.
    void wait_and_receive(steady_time until, const std::vector<worker_link*>& dead, bool for_quick_call)
        PROCPOOL_EXCLUDES(pool_mutex) PROCPOOL_NO_THREAD_SAFETY_ANALYSIS {
        for (const auto& event : event_wait_.wait(workers_.poller(), until, for_quick_call)) {
            if (event.key == worker_processes::key_interruption)
                driver_.interruption().silence();
            else if (event.key == worker_processes::key_zygote)
                zygote_has_news_ = true;
            else if (worker_processes::is_results_key(event.key))
                receive(workers_.link_of(event.key));
            else
                writable_.push_back(&workers_.link_of(event.key));
        }
        for (worker_link* const link : dead) {
            link->receive_rest();
            std::erase(readable_, link);
        }
    }
    void receive(worker_link& link) {
        if (link.ended()) return;
        constexpr std::size_t at_a_time = 1 << 20;  // then others have their turn
        link.receive(at_a_time);
        readable_.push_back(&link);
    }

    /// Enters what came into the books.
    void settle(const std::vector<worker_link*>& dead) PROCPOOL_REQUIRES(pool_mutex) {
        take_local_results();
        for (worker_link* link : readable_) watch_.collect(*link);
        for (worker_link* const link : dead) turnover_.reap(*link);
        if (zygote_has_news_) turnover_.read_news(watch_.dying());
        watch_.check();
        workers_.check_zygote();
        for (worker_link* link : writable_) workers_.send(*link);
    }

    /// What may wait until results are delivered.
    void keep_house(lock& held, bool some_died) PROCPOOL_REQUIRES(pool_mutex) {
        workers_.zygote().reap_orphans(held);
        // Only now are the values rebuilt that refer to something of the workers'.
        for (worker_link& link : workers_.links()) {
            if (link.is(peer_state::absent)) continue;
            link.acknowledge();
            if (!link.take_pinned() || !link.tasks()) continue;
            link.send_release();
            workers_.send(link);
        }
        for (scheduler::peer* const one : events().take_finished())
            if (one->work().elements() == 0 && !finalizers_.give(worker_processes::link_of(*one)))
                workers_.end_input(worker_processes::link_of(*one));
        // Not earlier: what is delivered lies in the dead workers' buffers.
        if (failure_ || is_shutting_down() || finalizing_ || leaves_zygote_to_program())
            workers_.restarts().cancel();
        else if ((some_died || workers_.restarts().due() || workers_.lacks_zygote()) &&
                 workers_.launch_missing(held, driver_.is_standby_driver())) {
            turnover_.stop_waiting_for_program();
            driver_.watch_news();
        }
        pauses_.end_due(has_open_jobs());
    }
    bool leaves_zygote_to_program() PROCPOOL_REQUIRES(pool_mutex) {
        return turnover_.leaves_zygote_to_program(driver_.is_standby_driver(), has_open_jobs(),
                                                  has_waiters());
    }
    void notice_pause() override PROCPOOL_REQUIRES(pool_mutex) { pauses_.begin(); }

    // ---- the start and the end

    void wait_for_start(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        const auto all_up = [this]()
                                PROCPOOL_REQUIRES(pool_mutex) { return failure_ || workers_.have_started(); };
        while (!wait(held, all_up, workers_.start_check_due())) {
        }
        // An initializer's error is told to each call; what keeps workers from starting, to the constructor.
        turnover_.require_start();
    }

    bool workers_are_idle() const override PROCPOOL_REQUIRES(pool_mutex) { return workers_.is_idle(); }
    void finalize(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        if (!std::exchange(finalizing_, true) && !is_shutting_down()) finalizers_.give_all();
        const auto all_ended = [this]() PROCPOOL_REQUIRES(pool_mutex) {
            return is_shutting_down() || (!finalizers_.pending() && !has_jobs());
        };
        wait(held, all_ended, steady_time::max());
    }

    void end(lock& held, bool gracefully) override PROCPOOL_REQUIRES(pool_mutex) {
        driver_.stop(held);
        const std::unique_ptr<zygote::zygote> last = workers_.take_zygote();
        // It ends, and so do the workers, while the standby driver does. To be killed comes before the pipes
        // close, or else the workers would wake up to leave by themselves.
        if (last && !gracefully) last->begin_kill();
        const bool idle = workers_.disconnect();
        if (last && gracefully && (!idle || !last->finish())) last->begin_kill();
        if (!driver_.is_standby_driver()) driver_.join(held);
        const job::unlocked meanwhile(held);
        if (last) last->wait();
        end_unreported(!last || last->was_killed());
    }
    void after_end(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        if (!observed()) return;
        for (const worker_link& link : workers_.links())
            if (link.is_alive()) tell_end(*observed(), link);
        tell_observers(held);
    }

    /// Nobody drives any more, or will.
    void end_unreported(bool killed) noexcept
        PROCPOOL_EXCLUDES(pool_mutex) PROCPOOL_NO_THREAD_SAFETY_ANALYSIS {
        workers_.end_unreported(killed);
    }

    static constexpr std::chrono::milliseconds program_check_interval{10};

    const steady_time_source clock_;
    const bool quote_arguments_;
    const steady_time made_ = std::chrono::steady_clock::now();
    worker_processes workers_ PROCPOOL_GUARDED_BY(pool_mutex);
    const std::shared_ptr<wire::arena> arena_;  // of the workers' memory
    spin_then_sleep event_wait_;                // of whoever drives
    worker_watch watch_ PROCPOOL_GUARDED_BY(pool_mutex);
    worker_turnover turnover_ PROCPOOL_GUARDED_BY(pool_mutex);
    finalizers finalizers_ PROCPOOL_GUARDED_BY(pool_mutex);
    pauses pauses_ PROCPOOL_GUARDED_BY(pool_mutex);

    // What a step works on.
    std::vector<worker_link*> readable_;
    std::vector<worker_link*> writable_;
    bool zygote_has_news_ = false;

    bool finalizing_ PROCPOOL_GUARDED_BY(pool_mutex) = false;  // who dies isn't replaced any more
};

using process_pool = basic_process_pool<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
