// SPDX-License-Identifier: MIT
// Runs jobs in worker processes: one step of the driver, what comes back, and what happens when one dies.
#ifndef PROCPOOL_DETAIL_PROCESS_PROCESS_POOL_HPP
#define PROCPOOL_DETAIL_PROCESS_PROCESS_POOL_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/job/callback_runner.hpp"
#include "procpool/detail/job/job_list.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/process_identity.hpp"
#include "procpool/detail/process/health_check.hpp"
#include "procpool/detail/process/post_mortem.hpp"
#include "procpool/detail/process/spin_then_sleep.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/process/worker_processes.hpp"
#include "procpool/detail/process/worker_status.hpp"
#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/dispatcher.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/scheduler/supervision.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/error.hpp"

namespace procpool::detail::process {

struct process_pool_options {
    worker_process_options workers;
    std::uint64_t max_elements_per_worker = ~std::uint64_t{0};
    std::chrono::nanoseconds terminate_grace{0};
    std::function<void(std::exception_ptr)> error_handler;
    bool quote_arguments = true;
};

template <class = only_if_used>
class basic_process_pool final : public scheduler::pool_backend {
public:
    explicit basic_process_pool(process_pool_options options)
        : terminate_grace_(options.terminate_grace),
          quote_arguments_(options.quote_arguments),
          callbacks_(std::move(options.error_handler)),
          workers_(std::move(options.workers), interruption(), watch(), key_news),
          dispatcher_(workers_, options.max_elements_per_worker) {
        arena_ = workers_.memory().arguments();
        lock held = acquire();
        workers_.launch_all();
        start_standby_driver();  // while workers are being born
        try {
            wait_for_start(held);
            begin_to_watch_news();
        } catch (...) {
            stop_standby_driver(held);
            join_standby_driver(held);
            throw;
        }
    }

    ~basic_process_pool() override {
        lock held = acquire();
        shut_down(held, false);
        join_standby_driver(held);
    }

    /// To be called when nobody holds the pool any more. The last may have been a callback, in a thread of
    /// the pool's own, which can't wait for its own end: then another one does.
    static void end(basic_process_pool* pool) {
        if (pool->is_copy()) return;  // a forked child lets go of its last handle: nothing here is its own
        if (!pool->is_standby_driver()) {
            delete pool;
            return;
        }
        os::library_threads.fetch_add(1, std::memory_order_relaxed);
        std::thread([pool] {
            delete pool;
            os::library_threads.fetch_sub(1, std::memory_order_relaxed);
        }).detach();
    }

    std::size_t size() const noexcept override { return workers_.links().size(); }

    std::vector<WorkerStatus> workers() override {
        std::vector<WorkerStatus> all;
        for (worker_link& link : workers_.links())
            all.push_back(has_ended_ ? WorkerStatus{.index = all.size()}
                                     : status_of(link, all.size(), quote_arguments_));
        return all;
    }

    // ---- jobs; all with the lock held

    void add(const std::shared_ptr<scheduler::remote_job>& job) override {
        require_running();
        close_series();  // what comes later than this job goes behind it
        job->id = ++last_id_;
        job->timing = &timings_.of(job->definition().bytes());
        jobs_.add(job);
    }

    void submit(const std::shared_ptr<scheduler::remote_job>& job, scheduler::block&& elements) override {
        job->add_submitted(elements.count);
        job->expected -= std::min(job->expected, elements.count);
        // Chunks save messages, which cost nothing beside such elements.
        if (elements.large.bytes >= elements.count * wire::arena_threshold) job->chunk = 1;
        if (job->failure() || job->abandoned) return;
        dispatcher_.add(job, std::move(elements));
        using sending = scheduler::dispatcher::sending;
        dispatch(should_batch(*job) ? sending::together : sending::now);
    }

    void submit_call(const std::shared_ptr<scheduler::call_series>& series, std::size_t bytes) override {
        series->add_submitted(1);
        dispatcher_.appended(series, bytes);
        const bool gathered = should_batch(*series);
        if (gathered && !series->full() && series->ready_elements < worker_link::min_batch * size()) return;
        // As many more are to come, so that they aren't dealt out in ever smaller shares.
        series->expected = gathered && !series->full() ? series->ready_elements : 0;
        dispatch(scheduler::dispatcher::sending::now);
    }

    /// An element that could not even be encoded.
    void submit_failed(const std::shared_ptr<scheduler::remote_job>& job, std::uint64_t index,
                       std::exception_ptr error) override {
        job->add_submitted(1);
        job->expected -= std::min<std::uint64_t>(job->expected, 1);
        local_.push_back({.job = job,
                          .first = index,
                          .count = 1,
                          .what = scheduler::delivery::kind::error,
                          .bytes = {},
                          .error = std::move(error)});
        interrupt_driver();
    }

    /// No more elements will come.
    void seal(const std::shared_ptr<scheduler::remote_job>& job) override {
        job->seal();
        if (!job->complete()) return;
        finish_if_complete(job);
        interrupt_driver();
    }

    bool abandon(const std::shared_ptr<job::basic_job>& given_up, running what_runs,
                 const char* why) override {
        if (given_up->complete() || given_up->callbacks_taken()) return false;
        const auto job = std::static_pointer_cast<scheduler::remote_job>(given_up);
        job->abandoned = true;
        if (what_runs == running::is_ended) job->end_running_since = steady_ns();
        job->ready.clear();
        job->ready_elements = 0;
        job->ready_bytes = 0;
        job->fail_all(job::make_error<TaskCancelled>(why));
        or_fail([&] {
            for (worker_link& link : workers_.links()) {
                if (!link.work().has(*job)) continue;
                dispatcher_.take_back(link);
                scheduler::check_after(link, scheduler::cancel_grace);
            }
            finish_if_complete(job);
        });
        interrupt_driver();  // there may be callbacks to run
        return true;
    }

    bool abandon_call(const std::shared_ptr<job::basic_job>& job, std::uint64_t call,
                      const char* why) override {
        const auto series = std::dynamic_pointer_cast<scheduler::call_series>(job);
        if (!series) return abandon(job, running::is_ended, why);
        if (!series->give_up(call, job::make_error<TaskCancelled>(why))) return false;
        or_fail([&] {
            for (worker_link& link : workers_.links()) {
                if (!link.work().has(*series, call)) continue;
                dispatcher_.take_back(link);
                scheduler::check_after(link, scheduler::cancel_grace);
            }
            dispatcher_.drop(*series, call);
            finish_if_complete(series);
        });
        interrupt_driver();  // there may be callbacks to run
        return true;
    }

    std::uint64_t withdraw(const std::shared_ptr<job::basic_job>& wanted, const char* why) override {
        if (wanted->complete() || wanted->callbacks_taken()) return 0;
        const auto job = std::static_pointer_cast<scheduler::remote_job>(wanted);
        or_fail([&] {
            for (worker_link& link : workers_.links())
                if (link.work().has_waiting(*job, link.box().claimed())) dispatcher_.take_back(link);
            local_.reserve(local_.size() + job->ready_elements);  // or some would be lost
        });
        if (job->failure()) return 0;
        const std::uint64_t count = job->ready_elements;
        if (job->sealed() && count == job->submitted()) {
            abandon(job, running::goes_on, why);
            return count;
        }
        const auto error = job::make_error<TaskCancelled>(why);
        for (const scheduler::block& some : std::exchange(job->ready, {}))
            for (std::uint64_t i = 0; i < some.count; ++i)
                local_.push_back({.job = job,
                                  .first = some.first + i,
                                  .count = 1,
                                  .what = scheduler::delivery::kind::error,
                                  .bytes = {},
                                  .error = error});
        job->ready_elements = 0;
        job->ready_bytes = 0;
        interrupt_driver();
        return count;
    }

    bool has_waiting(const job::basic_job& job) const override {
        return job.ready_elements > 0 ||
               std::any_of(workers_.links().begin(), workers_.links().end(), [&](const worker_link& link) {
                   return link.work().has_waiting(job, link.box().claimed());
               });
    }

    void leave(lock& held) override {
        if (workers_.lacks_zygote()) move_on(held);
        driver::leave(held);
    }

    // ---- the pool's life

    void wind_up(const char* why) override {
        close();
        const std::vector<std::shared_ptr<scheduler::remote_job>> jobs = jobs_.open();
        for (const auto& job : jobs) {
            if (why) withdraw(job, why);
            seal(job);
        }
    }

    /// No new jobs; those at hand go on.
    void close() override {
        closed_ = true;
        close_series();
    }

    /// Waits until all work is done, then lets the workers go.
    void join(lock& held) override {
        require_closed();
        if (callbacks_.running_here()) throw Error("procpool: a callback can't join the pool that runs it");
        wait_and_pull(held, [this] { return jobs_.empty() && (failure_ || workers_.is_idle()); });
        shut_down(held, true);
    }

    /// Ends all workers now; every pending result is PoolTerminated.
    void terminate(lock& held) override {
        set_terminated();
        fail(job::make_error<PoolTerminated>("procpool: the pool was terminated"));
        if (drives_here()) {  // in a result's load()
            ends_after_step_ = true;
            return;
        }
        run_callbacks(held);
        shut_down(held, false);
        run_callbacks(held);  // of what a last step was delivering
    }

    void run_callback(const std::function<void()>& callback) const noexcept override {
        callbacks_.run(callback);
    }

private:
    // ---- one step of whoever drives

    void step(lock& held, steady_time until) override {
        try {
            move_work(held, until);
        } catch (...) {
            if (!held.owns_lock()) held.lock();
            deliveries_.clear();
            fail(std::current_exception());
        }
    }

    void move_work(lock& held, steady_time until) {
        submitted_in_a_row_ = 0;
        dispatcher_.dispatch();
        if (!local_.empty() || !dying_.empty() || jobs_.has_callbacks())
            until = std::chrono::steady_clock::now();
        if (workers_.launch_at())
            until = std::min(until, *workers_.launch_at());
        else if (workers_.lacks_zygote() && !failure_)
            until = leaves_zygote_to_program() ? std::min(until, deadline_in(program_check_interval))
                                               : std::chrono::steady_clock::now();
        bool results_come = !jobs_.open().empty();
        for (const worker_link& link : workers_.links()) {
            until = std::min(until, link.check_at);
            results_come = results_come || link.work().elements() > 0;
        }
        if (results_come) until = std::min(until, health_check_.next());
        until = std::min({until, trim_at_, workers_.zygote_due()});
        waits_until_ = until;
        const bool for_quick_call = workers_.has_one_quick_call();
        const std::vector<worker_link*> dead = std::exchange(dying_, {});
        news_are_read();  // by this step, if there are any
        held.unlock();
        const auto events = event_wait_.wait(workers_.poller(), until, for_quick_call);
        bool zygote_has_news = false;
        readable_.clear();
        writable_.clear();
        for (const auto& event : events) {
            if (event.key == worker_processes::key_interruption)
                interruption().silence();
            else if (event.key == worker_processes::key_zygote)
                zygote_has_news = true;
            else if (worker_processes::is_results_key(event.key))
                receive(workers_.link_of(event.key));
            else
                writable_.push_back(&workers_.link_of(event.key));
        }
        for (worker_link* const link : dead) {
            link->receive_rest();
            std::erase(readable_, link);
        }

        held.lock();
        waits_until_ = steady_time::min();
        deliveries_.swap(local_);  // both keep their memory
        for (worker_link* link : readable_) collect(*link);
        for (worker_link* const link : dead) reap_worker(*link);
        if (zygote_has_news) read_news();
        check_workers();
        for (worker_link* link : writable_) workers_.send(*link);
        dispatcher_.dispatch();
        dispatcher_.relieve_busiest();
        std::erase_if(deliveries_, [](const scheduler::delivery& one) { return one.job->abandoned; });
        deliver_all(held);
        if (workers_.initializer() && workers_.initializer()->failure())
            fail(workers_.initializer()->failure());
        deliveries_.clear();
        // Only now are the values rebuilt that refer to something of the workers'.
        for (worker_link& link : workers_.links())
            if (link.now != worker_link::state::down) link.acknowledge();
        for (worker_link* link : std::exchange(releases_, {})) {
            if (!link->tasks()) continue;
            link->send_release();
            workers_.send(*link);
        }
        for (worker_link* link : std::exchange(finished_, {}))
            if (link->work().elements() == 0) workers_.end_input(*link);
        // Not earlier: what is delivered lies in the dead workers' buffers.
        if (failure_ || shutting_down_ || leaves_zygote_to_program())
            workers_.launch_no_more();
        else if ((!dead.empty() || workers_.launch_at() || workers_.lacks_zygote()) &&
                 workers_.launch_missing(held, is_standby_driver())) {
            program_due_ = steady_time::max();
            watch_news();
        }
        if (trim_at_ != steady_time::max() && std::chrono::steady_clock::now() >= trim_at_) {
            trim_at_ = steady_time::max();
            // The end of jobs that came meanwhile is the beginning of another while.
            if (jobs_.open().empty()) workers_.trim();
        }
        notify_ready();
    }

    /// Whether a task that was submitted waits for others, since to send each of many quick ones by itself
    /// would cost more than they do. The last of them are sent by whoever drives next.
    bool should_batch(const scheduler::remote_job& job) noexcept {
        const bool nobody_sleeps = waits_until_ == steady_time::min();
        return ++submitted_in_a_row_ > some_in_a_row && nobody_sleeps && job.timing->quick();
    }
    /// The caller can't give back what it has submitted.
    void dispatch(scheduler::dispatcher::sending when) {
        or_fail([&] {
            if (dispatcher_.dispatch(when) < waits_until_) interrupt_driver();
        });
    }
    /// What fails in it fails the pool, as in a step.
    template <class Work>
    void or_fail(Work work) {
        const os::cancellation_deferred until_it_ends;
        try {
            work();
        } catch (...) {
            fail(std::current_exception());
        }
    }

    void receive(worker_link& link) {
        if (link.ended()) return;
        constexpr std::size_t at_a_time = 1 << 20;  // then others have their turn
        link.receive(at_a_time);
        readable_.push_back(&link);
    }

    void collect(worker_link& link) {
        link.results_ended = link.ended();
        workers_.notice_memory_of(link);
        try {
            link.collect(deliveries_);
            link.check_unfinished();
        } catch (const SerializationError& error) {
            mark_corrupt(link, sent_garbage(error.what()));
        }
        const auto [busy, elements] = link.take_timing();
        if (elements > 0 && !deliveries_.empty() && deliveries_.back().job->timing)
            deliveries_.back().job->timing->add(busy, elements);
        follow_up_results(link);
        link.stalled = link.keeps_all = false;
        scheduler::schedule_collection(link);
        if (!link.corrupt && !link.results_ended) return;
        if (workers_.stop_reading(link))
            dying_.push_back(&link);
        else if (!link.corrupt)
            link.check_at = deadline_in(scheduler::exit_news_timeout);
    }

    static std::string sent_garbage(const char* what) {
        return std::string("its results were garbage: ") + what;
    }
    /// A corrupt worker can only be killed, as soon as its process id is known.
    void mark_corrupt(worker_link& link, std::string why) {
        link.corrupt = std::move(why);
        scheduler::check_after(link, std::chrono::nanoseconds(0));
    }

    /// After results were collected.
    void follow_up_results(worker_link& link) {
        for (scheduler::returned& again : link.take_second_tries())
            dispatcher_.push_front(again.job, std::move(again.elements));
        if (link.take_pinned()) releases_.push_back(&link);
        if (dispatcher_.is_done_with(link) && link.work().elements() == 0) finished_.push_back(&link);
    }

    // ---- what workers are doing

    void check_workers() {
        const auto now = std::chrono::steady_clock::now();
        if (now >= health_check_.next()) check_health(now);
        for (worker_link& link : workers_.links())
            if (link.check_at <= now) check_worker(link, now);
        workers_.check_zygote();
    }

    /// Finds workers that owe results which will never come.
    void check_health(steady_time now) {
        health_check_.begin();
        for (worker_link& link : workers_.links()) {
            if (!is_at_work(link)) continue;
            if (const char* const why = health_check_.find_fault(link, now)) mark_corrupt(link, why);
            workers_.send(link);  // a question
        }
        health_check_.end(now);
    }
    static bool is_at_work(const worker_link& link) noexcept {
        return link.now == worker_link::state::up && !link.exit && !link.results_ended && !link.corrupt;
    }

    /// Takes results that are held back, ends what runs too long, and says when to look again.
    void check_worker(worker_link& link, steady_time now) {
        link.check_at = steady_time::max();
        if (link.now == worker_link::state::down || link.exit) return;
        if (link.corrupt && workers_.has_lost(link)) {  // nobody tells how it ended
            link.exit.emplace();
            dying_.push_back(&link);
            return;
        }
        if (link.pid == 0) {  // born, but the news are not read: it can't be signalled
            scheduler::check_after(link, interactive.collected_after);
            return;
        }
        if (link.results_ended && !link.corrupt) {
            if (os::is_ending(link.pid)) {  // by itself: the news are late
                scheduler::check_after(link, scheduler::exit_news_timeout);
                return;
            }
            link.corrupt = "it had closed the pipe for its results";
        }
        if (link.corrupt) {
            workers_.signal(link, SIGKILL);
            scheduler::check_after(link, scheduler::exit_news_timeout);  // again, until the news have come
            return;
        }
        bool changes = false;
        try {
            changes = link.collect_early(deliveries_);
        } catch (const SerializationError& error) {
            mark_corrupt(link, sent_garbage(error.what()));
            return;
        }
        follow_up_results(link);
        changes = link.progresses(now) || changes;
        const bool runs = link.says_it_runs();
        if ((!link.stalled && link.work().has_dropped()) || (runs && scheduler::stalls(link, now)))
            dispatcher_.take_back(link);
        if (changes)
            scheduler::schedule_collection(link);
        else if (!runs || link.stalled)
            scheduler::back_off(link);
        scheduler::enforce_limits(link, now, terminate_grace_,
                                  [this](const worker_link& to, int signal) { workers_.signal(to, signal); });
    }

    /// Results go into their jobs, which aren't complete meanwhile.
    void deliver_all(lock& held) {
        for (scheduler::delivery& one : deliveries_) one.job->begin_delivery();
        std::size_t ended = 0;
        try {
            held.unlock();
            {
                const job::poll_hook::without interruptions;  // of a wait that the user's code isn't part of
                for (scheduler::delivery& one : deliveries_) deliver(one);
            }

            held.lock();
            for (scheduler::delivery& one : deliveries_) {
                one.job->publish(one.first, one.count);
                one.job->end_delivery();
                ++ended;
                if (one.job->fail_fast && one.what != scheduler::delivery::kind::values)
                    abandon(one.job, running::goes_on,
                            "procpool: dropped, since another element had failed (fail_fast)");
                finish_if_complete(one.job);
            }
        } catch (...) {
            if (!held.owns_lock()) held.lock();
            // Without its end a delivery would keep its job from ever being complete.
            const std::span lost(deliveries_.begin() + static_cast<std::ptrdiff_t>(ended), deliveries_.end());
            for (scheduler::delivery& one : lost) one.job->end_delivery();
            for (scheduler::delivery& one : lost) {
                one.job->fail_all(std::current_exception());
                finish_if_complete(one.job);
            }
            throw;
        }
    }

    /// Without the lock: user code rebuilds values here.
    void deliver(scheduler::delivery& one) {
        switch (one.what) {
            case scheduler::delivery::kind::error: one.job->fail(one.first, std::move(one.error)); return;
            case scheduler::delivery::kind::error_record: {
                const bool is_element = one.job != workers_.initializer();
                one.job->fail(
                    one.first,
                    wire::decode_exception(
                        wire::cursor(one.bytes), one.pid,
                        is_element ? std::optional(one.job->index_told(one.first)) : std::nullopt, one.note));
                return;
            }
            case scheduler::delivery::kind::values:
                one.job->accept(one.first, one.count, one.stride, one.bytes);
                return;
        }
    }

    void finish_if_complete(const std::shared_ptr<scheduler::remote_job>& job) {
        if (job == open_series_ && job->has_all_results()) std::exchange(open_series_, nullptr)->seal();
        const bool refers = !job->pins.empty();
        if (!jobs_.complete(job)) return;
        if (jobs_.open().empty() && workers_.keeps_memory()) trim_at_ = deadline_in(scheduler::trim_delay);
        if (job->once() || failure_) return;
        for (worker_link& link : workers_.links()) {
            link.forget(job->id);
            // What it is bound to, a SharedArray for instance, would otherwise stay until the next job.
            if (refers && dispatcher_.can_work(link) && link.send_forgotten()) workers_.send(link);
        }
    }

    void after_step(lock& held) override {
        run_callbacks(held);
        if (std::exchange(ends_after_step_, false)) {
            shut_down(held, false);
            run_callbacks(held);
        }
        wire::pins retired = jobs_.take_retired();
        if (retired.empty()) return;
        held.unlock();
        retired.clear();
        held.lock();
    }

    void run_callbacks(lock& held) {
        while (auto next = jobs_.begin_callbacks()) {
            hand_over();
            held.unlock();
            for (const auto& callback : next->callbacks) run_callback(callback);
            next->callbacks.clear();
            held.lock();
            jobs_.end_callbacks(*next);
            jobs_.retire(std::move(next->job));
            interrupt_driver();  // it may be the one that waits for this
        }
    }

    bool has_work() const override {
        return !jobs_.open().empty() || jobs_.has_callbacks() || ends_after_step_ || !dying_.empty() ||
               workers_.has_lost() || workers_.launch_at() ||
               std::min(trim_at_, workers_.zygote_due()) != steady_time::max() ||
               std::any_of(workers_.links().begin(), workers_.links().end(),
                           [](const worker_link& link) { return link.check_at != steady_time::max(); });
    }
    const os::fd& news() const override { return workers_.news(); }

    // ---- birth and death of workers

    /// A fork in this thread could copy locks that the program holds. A thread of its own will come for the
    /// zygote; nobody misses it before that, unless calls are pending and it doesn't come.
    bool leaves_zygote_to_program() {
        if (!workers_.lacks_zygote() || !workers_.forks_alone() || !is_standby_driver()) return false;
        const bool nobody_misses_it = jobs_.open().empty() || has_waiters();
        program_due_ = nobody_misses_it ? steady_time::max()
                                        : std::min(program_due_, deadline_in(std::chrono::seconds(1)));
        return std::chrono::steady_clock::now() < program_due_;
    }

    void wait_for_start(lock& held) {
        const auto all_up = [this] {
            return failure_ || std::none_of(workers_.links().begin(), workers_.links().end(),
                                            [](const worker_link& link) {
                                                return link.now == worker_link::state::starting;
                                            });
        };
        wait(held, all_up, steady_time::max());
        // An initializer's error is told to each call; what keeps workers from starting, to the constructor.
        if (fork_error_ != 0) os::throw_system_error(fork_error_, "fork (a worker)");
        if (failure_ && failure_ == failed_start_) std::rethrow_exception(failure_);
    }

    void read_news() {
        const auto news = workers_.read_news();
        if (news.failed_start) failed_start_ = last_death_ = news.failed_start;
        if (news.for_good) fail(failed_start_);
        dying_.insert(dying_.end(), news.ended.begin(), news.ended.end());
        for (const auto& [link, error] : news.not_forked) {
            fork_error_ = error;
            requeue(*link);
            workers_.dismiss(*link);
            workers_.restarts().failed_start();
            if (workers_.restarts().exhausted())
                fail(std::make_exception_ptr(std::system_error(error, std::generic_category(),
                                                               "procpool: can't start workers: fork")));
            else
                workers_.launch_later();
        }
    }

    /// Settles what a dead worker had, and puts another in its place.
    void reap_worker(worker_link& link) {
        const auto wrong = link.collect_remains(deliveries_);
        if (wrong && !link.corrupt) link.corrupt = sent_garbage(wrong->c_str());
        const bool had_started =
            link.work().results() > 0 ||
            (!workers_.initializer() && link.box().ready.load(std::memory_order_acquire) != 0);
        follow_up_results(link);
        auto interrupted = link.interrupted();
        const bool was_of_use = interrupted || link.work().results() > 0 || link.work().elements() == 0;
        if (had_started && was_of_use)
            workers_.restarts().progress();
        else if (!workers_.has_lost(link))  // the death of its zygote counts once for all of them
            workers_.restarts().failure();
        const bool all_known = link.knows_what_began();
        while (interrupted && fail_or_retry(link, *interrupted) && all_known)
            interrupted = link.interrupted();
        requeue(link);
        workers_.dismiss(link);
        if (workers_.restarts().exhausted())
            fail(last_death_
                     ? last_death_
                     : std::make_exception_ptr(WorkerDied(
                           "procpool: workers die before they can run anything: " + os::describe(*link.exit),
                           {.pid = link.told_pid(),
                            .exit_code = link.exit->code,
                            .signal = link.exit->signal})));
    }

    /// The element that a worker was running when it died gets another try, or its death as its error; false
    /// if it has nothing to do with that.
    bool fail_or_retry(worker_link& link, const worker_link::running& interrupted) {
        const std::shared_ptr<scheduler::remote_job> job = interrupted.of->job;
        // It was told to end for the sake of an element that came to its end first: this one is innocent.
        if (link.terminating && link.terminating->element < interrupted.number) return false;
        scheduler::block element = link.take_interrupted(*interrupted.of);
        if (job->has_dropped(interrupted.index, 1)) return true;
        const post_mortem death(link, interrupted, element, quote_arguments_);
        if (job == workers_.initializer()) {
            last_death_ = death.error();
        } else if (element.attempts.size() < job->retries) {
            element.attempts.push_back(death.how());
            dispatcher_.push_front(job, std::move(element));
        } else {
            deliveries_.push_back({.job = job,
                                   .first = interrupted.index,
                                   .count = 1,
                                   .what = scheduler::delivery::kind::error,
                                   .bytes = {},
                                   .error = death.error()});
        }
        return true;
    }

    /// Elements that a worker had not begun go back to where they came from, in front.
    void requeue(worker_link& link) {
        std::deque<scheduler::run> unfinished = link.take_unfinished();
        for (auto one = unfinished.rbegin(); one != unfinished.rend(); ++one) {
            if (!one->job || one->job == workers_.initializer() || one->left() == 0) continue;
            if (one->job->abandoned || one->job->failure()) continue;
            if (one->results > 0) one->elements.take_front(one->results);
            dispatcher_.push_front(one->job, std::move(one->elements));
        }
    }

    /// The pool can't go on: every pending and later call gets this error.
    void fail(const std::exception_ptr& error) override {
        if (failure_) return;
        failure_ = error;
        open_series_.reset();
        workers_.launch_no_more();
        dispatcher_.clear();
        for (std::size_t left = jobs_.open().size(); left > 0; --left) {  // a job that is complete leaves
            const std::shared_ptr<scheduler::remote_job> job = jobs_.open()[left - 1];
            job->abandoned = true;  // what workers still send comes too late: the caller may be reading
            job->ready.clear();
            job->listed = false;
            job->fail_all(error);
            finish_if_complete(job);
        }
        interrupt_driver();
    }

    void shut_down(lock& held, bool gracefully) {
        const os::cancellation_deferred until_it_ends;
        if (std::exchange(shutting_down_, true)) {
            ended_.wait(held, [this] { return has_ended_ || is_standby_driver(); });
            return;
        }
        closed_ = true;
        stop_standby_driver(held);
        const std::unique_ptr<zygote::zygote> zygote = workers_.take_zygote();
        // It ends, and so do the workers, while the stand-in does. To be killed comes before the pipes close,
        // or else the workers would wake up to leave by themselves.
        if (zygote && !gracefully) zygote->begin_kill();
        const bool idle = workers_.disconnect();
        if (zygote && gracefully) {
            if (!idle || !finishes(*zygote)) zygote->begin_kill();
        }
        if (!is_standby_driver()) join_standby_driver(held);
        held.unlock();
        if (zygote) zygote->wait();
        held.lock();
        has_ended_ = true;
        ended_.notify_all();
    }

    /// False if it can't be told; then the workers, which have nothing left to do, are killed with it.
    static bool finishes(zygote::zygote& zygote) noexcept {
        try {
            zygote.finish();
            return true;
        } catch (const std::system_error&) {
            return false;
        }
    }

    static constexpr std::chrono::milliseconds program_check_interval{10};
    const std::chrono::nanoseconds terminate_grace_;
    const bool quote_arguments_;
    const job::callback_runner callbacks_;
    worker_processes workers_;
    scheduler::dispatcher dispatcher_;
    std::uint64_t last_id_ = 0;
    spin_then_sleep event_wait_;  // of whoever drives
    health_check health_check_;

    job::job_list<scheduler::remote_job> jobs_;
    scheduler::timing_table timings_;

    std::vector<scheduler::delivery> local_;    // results that no worker made
    std::vector<worker_link*> dying_;           // whose exit is known and whose remains are not yet taken
    std::vector<worker_link*> releases_;        // whose pinned results were received
    std::vector<worker_link*> finished_;        // that have run all that they may
    steady_time trim_at_ = steady_time::max();  // when memory that nobody has used meanwhile is given back
    steady_time waits_until_ = steady_time::min();  // how long whoever drives waits for something to do
    // What a step works on.
    std::vector<worker_link*> readable_;
    std::vector<worker_link*> writable_;
    std::vector<scheduler::delivery> deliveries_;

    steady_time program_due_ =
        steady_time::max();  // when a thread of the program must have come for the zygote
    std::exception_ptr last_death_;
    std::exception_ptr failed_start_;
    int fork_error_ = 0;
    bool ends_after_step_ = false;  // it was terminated by what a step has called
    bool shutting_down_ = false;
    bool has_ended_ = false;
    std::condition_variable ended_;
};

using process_pool = basic_process_pool<>;

}  // namespace procpool::detail::process

#endif
