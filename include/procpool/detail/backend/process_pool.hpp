// SPDX-License-Identifier: MIT
// Runs jobs in worker processes: who gets which elements, what comes back, and what happens when one dies.
#ifndef PROCPOOL_DETAIL_BACKEND_PROCESS_POOL_HPP
#define PROCPOOL_DETAIL_BACKEND_PROCESS_POOL_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/backend/pool_backend.hpp"
#include "procpool/detail/backend/remote_job.hpp"
#include "procpool/detail/backend/window.hpp"
#include "procpool/detail/backend/worker_link.hpp"
#include "procpool/detail/posix/memfd.hpp"
#include "procpool/detail/posix/zygote.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/worker/loop.hpp"
#include "procpool/error.hpp"

namespace procpool::detail::backend {

struct process_pool_options {
    std::uint32_t workers = 1;
    std::uint64_t max_elements_per_worker = ~std::uint64_t{0};
    std::function<void(std::exception_ptr)> error_handler;
    /// Run by each new worker before anything else; none if null.
    std::shared_ptr<remote_job> initializer;
    block initializer_arguments;
};

/// A template only so that it is compiled where a pool is made, and nowhere else.
template <class = void>
class basic_process_pool final : public pool_backend {
public:
    explicit basic_process_pool(process_pool_options options)
        : options_(std::move(options)),
          memory_file_(posix::make_memfd("procpool", options_.workers * worker::slot_memory)),
          memory_(memory_file_, 0, options_.workers * worker::slot_memory),
          links_(options_.workers) {
        poller_.add(interruption().file(), posix::poller::interest::read, key_interruption);
        lock held = acquire();
        start_zygote();
        for (worker_link& link : links_) launch(link);
        wait_for_start(held);
        start_stand_in();
    }

    ~basic_process_pool() override {
        lock held = acquire();
        shut_down(held, false);
        join_stand_in(held);
    }

    std::size_t size() const noexcept override { return links_.size(); }

    // ---- jobs; all with the lock held

    void add(const std::shared_ptr<remote_job>& job) override {
        if (closed_) throw PoolNotRunning("procpool: Pool not running (it was closed or terminated)");
        if (failure_) std::rethrow_exception(failure_);
        job->id = ++last_id_;
        job->timing = &timings_.of(job->definition().bytes());
        job->place = jobs_.size();
        jobs_.push_back(job);
    }

    void submit(const std::shared_ptr<remote_job>& job, block elements) override {
        job->add_submitted(elements.count);
        job->expected -= std::min(job->expected, elements.count);
        if (job->failure() || job->abandoned) return;
        push_ready(job, std::move(elements), false);
        dispatch();
    }

    /// An element that could not even be encoded.
    void submit_failed(const std::shared_ptr<remote_job>& job, std::uint64_t index,
                       std::exception_ptr error) override {
        job->add_submitted(1);
        job->expected -= std::min<std::uint64_t>(job->expected, 1);
        local_.push_back({.job = job,
                          .first = index,
                          .count = 1,
                          .what = delivery::kind::error,
                          .bytes = {},
                          .error = std::move(error)});
        interrupt_driver();
    }

    /// No more elements will come.
    void seal(const std::shared_ptr<remote_job>& job) override {
        job->seal();
        if (!job->complete()) return;
        finish_if_complete(job);
        interrupt_driver();
    }

    /// Nobody wants the results any more: what no worker has got yet won't run.
    void abandon(const std::shared_ptr<remote_job>& job) override {
        job->abandoned = true;
        job->ready.clear();
        job->ready_elements = 0;
        job->ready_bytes = 0;
        job->fail_all(std::make_exception_ptr(TaskCancelled("procpool: the task was cancelled")));
        finish_if_complete(job);
        interrupt_driver();  // there may be callbacks to run
    }

    // ---- the pool's life

    /// No new jobs; those at hand go on.
    void close() override { closed_ = true; }
    bool closed() const noexcept { return closed_; }

    /// Waits until all work is done, then lets the workers go.
    void join(lock& held) override {
        if (!closed_)
            throw Error("procpool: Pool is still running: call close() or terminate() before join()");
        if (in_callback_of() == this) throw Error("procpool: a callback can't join the pool that runs it");
        wait(
            held, [this] { return jobs_.empty() && completing_.empty() && callbacks_running_ == 0; },
            steady_time::max());
        shut_down(held, true);
    }

    /// Ends all workers now; every pending result is PoolTerminated.
    void terminate(lock& held) override {
        closed_ = true;
        fail(std::make_exception_ptr(PoolTerminated("procpool: the pool was terminated")));
        run_callbacks(held);
        shut_down(held, false);
    }

    /// Runs a callback of the user's: what it throws goes to the error handler.
    void run_callback(const std::function<void()>& callback) const noexcept override {
        const basic_process_pool* const before = std::exchange(in_callback_of(), this);
        try {
            callback();
        } catch (...) {
            report(std::current_exception());
        }
        in_callback_of() = before;
    }

private:
    // What poller_ watches: for each slot its result pipe, and its task pipe while that is full.
    static constexpr std::uint64_t key_interruption = ~std::uint64_t{0};
    static constexpr std::uint64_t key_zygote = key_interruption - 1;
    static std::uint64_t key_results(std::size_t slot) { return 2 * slot; }
    static std::uint64_t key_tasks(std::size_t slot) { return 2 * slot + 1; }

    static const basic_process_pool*& in_callback_of() noexcept {
        thread_local const basic_process_pool* pool = nullptr;
        return pool;
    }

    // ---- one step of whoever drives

    void step(lock& held, steady_time until) override {
        try {
            move_work(held, until);
        } catch (...) {
            if (!held.owns_lock()) held.lock();
            fail(std::current_exception());
        }
    }

    void move_work(lock& held, steady_time until) {
        dispatch();
        if (!local_.empty() || !dying_.empty() || !completing_.empty())
            until = std::chrono::steady_clock::now();
        if (retry_at_) until = std::min(until, *retry_at_);
        held.unlock();
        const auto events = poller_.wait(until);
        bool zygote_has_news = false;
        readable_.clear();
        writable_.clear();
        for (const auto& event : events) {
            if (event.key == key_interruption)
                interruption().silence();
            else if (event.key == key_zygote)
                zygote_has_news = true;
            else if (event.key % 2 == 0)
                receive(links_[event.key / 2]);
            else
                writable_.push_back(&links_[event.key / 2]);
        }
        std::vector<worker_link*> dead = std::exchange(dying_, {});
        for (worker_link* link : dead) {
            if (!link->corrupt) link->receive_remains();
            std::erase(readable_, link);
        }

        held.lock();
        deliveries_ = std::exchange(local_, {});
        for (worker_link* link : readable_) collect(*link);
        for (worker_link* link : dead) bury(*link);
        if (zygote_has_news) read_news();
        for (worker_link* link : writable_) send(*link);
        dispatch();
        std::erase_if(deliveries_, [](const delivery& one) { return one.job->abandoned; });
        for (delivery& one : deliveries_) one.job->begin_delivery();

        held.unlock();
        for (delivery& one : deliveries_) deliver(one);

        held.lock();
        for (delivery& one : deliveries_) {
            one.job->publish(one.first, one.count);
            one.job->end_delivery();
            finish_if_complete(one.job);
        }
        if (options_.initializer && !failure_ && options_.initializer->failure())
            fail(options_.initializer->failure());
        deliveries_.clear();
        // Only now are the values rebuilt that refer to something of the workers'.
        for (worker_link* link : std::exchange(releases_, {})) {
            if (!link->tasks()) continue;
            link->send_release();
            send(*link);
        }
        for (worker_link* link : std::exchange(finished_, {}))
            if (link->out_elements() == 0) link->end_input();
        // Not earlier: what is delivered lies in the dead workers' buffers.
        if (!dead.empty() || (retry_at_ && std::chrono::steady_clock::now() >= *retry_at_)) launch_missing();
        notify_ready();
    }

    void receive(worker_link& link) {
        if (link.ended()) return;
        constexpr std::size_t at_a_time = 1 << 20;  // then others have their turn
        link.receive(at_a_time);
        readable_.push_back(&link);
    }

    void collect(worker_link& link) {
        link.silent = link.ended();
        try {
            link.collect(deliveries_);
        } catch (const SerializationError& error) {
            link.corrupt = error.what();
        }
        const auto [busy, elements] = link.take_timing();
        if (elements > 0 && !deliveries_.empty() && deliveries_.back().job->timing)
            deliveries_.back().job->timing->add(busy, elements);
        if (link.take_pinned()) releases_.push_back(&link);
        if (link.taken >= options_.max_elements_per_worker && link.out_elements() == 0)
            finished_.push_back(&link);
        if (link.corrupt || link.silent) {
            poller_.remove(link.results());
            if (link.zygote != zygote_number_)
                link.exit.emplace();  // its zygote is gone, and with it the news of how it ended
            else if (link.now == worker_link::state::up)
                posix::send_signal(link.pid, SIGKILL);  // dead already, or lost to us
            if (link.exit) dying_.push_back(&link);
        }
    }

    /// Without the lock: user code rebuilds values here.
    void deliver(delivery& one) {
        switch (one.what) {
            case delivery::kind::error: one.job->fail(one.first, std::move(one.error)); return;
            case delivery::kind::error_record: {
                const bool is_element = one.job != options_.initializer;
                one.job->fail(one.first,
                              wire::decode_exception(wire::cursor(one.bytes), one.pid,
                                                     is_element ? std::optional(one.first) : std::nullopt));
                return;
            }
            case delivery::kind::values: one.job->accept(one.first, one.count, one.stride, one.bytes); return;
        }
    }

    void finish_if_complete(const std::shared_ptr<remote_job>& job) {
        if (!job->complete() || job->callbacks_taken()) return;
        const std::shared_ptr<remote_job> kept = job;
        if (job->place >= jobs_.size() || jobs_[job->place] != job) return;
        jobs_.back()->place = job->place;
        jobs_[kept->place].swap(jobs_.back());
        jobs_.pop_back();
        if (!job->once())
            for (worker_link& link : links_) {
                link.forget(job->id);
                // What it is bound to, a SharedArray for instance, would otherwise stay until the next job.
                if (!job->pins.empty() && can_work(link) && link.send_forgotten()) send(link);
            }
        auto callbacks = job->take_callbacks();
        if (callbacks.empty())
            job->set_done();
        else
            completing_.push_back({kept, std::move(callbacks)});
        // Destructors of the user's objects run without the lock.
        retired_.insert(retired_.end(), std::make_move_iterator(job->pins.begin()),
                        std::make_move_iterator(job->pins.end()));
        job->pins.clear();
        retired_.push_back(kept);
    }

    void after_step(lock& held) override {
        run_callbacks(held);
        if (retired_.empty()) return;
        wire::pins retired = std::exchange(retired_, {});
        held.unlock();
        retired.clear();
        held.lock();
    }

    void run_callbacks(lock& held) {
        while (!completing_.empty()) {
            completed next = std::move(completing_.front());
            completing_.erase(completing_.begin());
            ++callbacks_running_;
            hand_over();
            held.unlock();
            for (const auto& callback : next.callbacks) run_callback(callback);
            next.callbacks.clear();
            held.lock();
            --callbacks_running_;
            next.job->set_done();
            interrupt_driver();  // it may be the one that waits for this
        }
    }

    void report(const std::exception_ptr& error) const noexcept {
        try {
            if (options_.error_handler) {
                options_.error_handler(error);
                return;
            }
            std::rethrow_exception(error);
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "procpool: a callback threw: %s\n", problem.what());
        } catch (...) {
            std::fprintf(stderr, "procpool: a callback threw something that is no std::exception\n");
        }
    }

    bool has_work() const override {
        return !jobs_.empty() || !completing_.empty() || !dying_.empty() || lost_ > 0;
    }
    const posix::fd& news() const override { return zygote_->control(); }

    // ---- giving elements to workers

    void push_ready(const std::shared_ptr<remote_job>& job, block elements, bool first) {
        job->ready_elements += elements.count;
        job->ready_bytes += elements.payload().size();
        if (first)
            job->ready.push_front(std::move(elements));
        else
            job->ready.push_back(std::move(elements));
        if (!std::exchange(job->listed, true)) queue_.push_back(job);
    }

    /// Gives out what is ready to workers that have room, one job after the other.
    void dispatch() {
        std::size_t in_vain = 0;
        while (in_vain < queue_.size()) {
            std::shared_ptr<remote_job> job = std::move(queue_.front());
            queue_.pop_front();
            bool gave = false;
            while (!job->ready.empty()) {
                worker_link* const link = least_loaded();
                const std::uint64_t count = link ? room(*link, *job) : 0;
                if (count == 0) break;
                give(*link, job, count);
                gave = true;
            }
            job->listed = !job->ready.empty();
            if (job->listed) queue_.push_back(std::move(job));
            in_vain = gave ? 0 : in_vain + 1;
        }
        for (worker_link* link : std::exchange(touched_, {})) send(*link);
    }

    worker_link* least_loaded() {
        worker_link* best = nullptr;
        for (worker_link& link : links_) {
            if (!can_work(link)) continue;
            if (!best || link.out_elements() < best->out_elements()) best = &link;
        }
        return best;
    }

    bool can_work(const worker_link& link) const noexcept {
        return (link.now == worker_link::state::up || link.now == worker_link::state::starting) &&
               !link.exit && !link.silent && !link.corrupt && link.taken < options_.max_elements_per_worker;
    }

    /// How many elements of `job` to give to `link` now.
    std::uint64_t room(const worker_link& link, const remote_job& job) const noexcept {
        const std::uint64_t may_take = options_.max_elements_per_worker - link.taken;
        return std::min(elements_to_give(job, links_.size(), link.out_elements(), link.out_bytes(), may_take),
                        job.ready.front().count);
    }

    void give(worker_link& link, const std::shared_ptr<remote_job>& job, std::uint64_t count) {
        block& front = job->ready.front();
        block elements;
        if (count >= front.count) {
            elements = std::move(front);
            job->ready.pop_front();
        } else {
            elements = front.take_front(count);
        }
        job->ready_elements -= elements.count;
        job->ready_bytes -= elements.payload().size();
        link.give(job, std::move(elements));
        if (std::find(touched_.begin(), touched_.end(), &link) == touched_.end()) touched_.push_back(&link);
    }

    void send(worker_link& link) {
        if (!link.tasks()) return;
        const bool all = link.send();
        if (all == !link.watching_tasks) return;
        const std::size_t slot = slot_of(link);
        if (all)
            poller_.remove(link.tasks());
        else
            poller_.add(link.tasks(), posix::poller::interest::write, key_tasks(slot));
        link.watching_tasks = !all;
    }

    // ---- birth and death of workers

    std::size_t slot_of(const worker_link& link) const noexcept {
        return static_cast<std::size_t>(&link - links_.data());
    }

    void start_zygote() {
        zygote_ = std::make_unique<posix::zygote>(memory_file_, worker::main<>, signal_mask_);
        poller_.add(zygote_->control(), posix::poller::interest::read, key_zygote);
        ++zygote_number_;
    }

    void launch(worker_link& link) {
        const std::size_t slot = slot_of(link);
        link.serial = ++last_serial_;
        link.zygote = zygote_number_;
        const posix::fd results = link.connect(memory_.data() + slot * worker::slot_memory);
        poller_.add(link.results(), posix::poller::interest::read, key_results(slot));
        link.now = worker_link::state::starting;
        zygote_->fork_worker(static_cast<std::uint32_t>(slot), link.serial, link.tasks_reader(), results);
        if (options_.initializer) {
            block arguments{.count = 1, .stride = wire::variable_stride, .bytes = {}, .pins = {}};
            const auto bytes = options_.initializer_arguments.payload();
            arguments.bytes.append(bytes.data(), bytes.size());
            link.give(options_.initializer, std::move(arguments));
            link.taken = 0;
            send(link);
        }
    }

    void wait_for_start(lock& held) {
        const auto all_up = [this] {
            return failure_ || std::all_of(links_.begin(), links_.end(), [](const worker_link& link) {
                       return link.now != worker_link::state::starting;
                   });
        };
        while (!all_up()) step(held, steady_time::max());
        // An initializer's error is told to each call; what keeps workers from starting, to the constructor.
        if (fork_error_ != 0) posix::throw_system_error(fork_error_, "fork (a worker)");
    }

    void read_news() {
        while (const auto report = zygote_->next_report()) {
            worker_link& link = links_[report->slot];
            if (report->serial != link.serial) continue;
            switch (report->what) {
                case posix::worker_report::kind::started:
                    link.pid = static_cast<long>(report->pid);
                    if (link.now == worker_link::state::starting) link.now = worker_link::state::up;
                    break;
                case posix::worker_report::kind::fork_failed: fork_failed(link, report->code); break;
                case posix::worker_report::kind::exited:
                    link.exit = report->signalled ? posix::exit_status{{}, report->code}
                                                  : posix::exit_status{report->code, 0};
                    dying_.push_back(&link);
                    break;
            }
        }
        news_are_read();
        if (zygote_->gone()) replace_zygote();
    }

    /// The workers died with their zygote; each is buried when its pipe has ended.
    void replace_zygote() {
        poller_.remove(zygote_->control());
        std::unique_ptr<posix::zygote> gone = std::move(zygote_);
        start_zygote();
        watch_news();
        lost_ = 0;
        for (worker_link& link : links_) {
            if (link.now == worker_link::state::down) continue;
            ++lost_;
            if (link.exit || !link.silent) continue;
            link.exit.emplace();
            dying_.push_back(&link);
        }
    }

    void fork_failed(worker_link& link, int error) {
        fork_error_ = error;
        requeue(link);
        poller_.remove(link.results());
        link.disconnect();
        link.now = worker_link::state::down;
        constexpr std::chrono::milliseconds breather{100};
        retry_at_ = std::chrono::steady_clock::now() + breather;
        if (++restarts_ > restart_limit())
            fail(std::make_exception_ptr(
                std::system_error(error, std::generic_category(), "procpool: can't start workers: fork")));
    }

    void launch_missing() {
        retry_at_.reset();
        if (failure_) return;
        for (worker_link& link : links_)
            if (link.now == worker_link::state::down) launch(link);
    }

    /// Settles what a dead worker had, and puts another in its place.
    void bury(worker_link& link) {
        if (!link.corrupt) {
            try {
                link.collect(deliveries_);
            } catch (const SerializationError& error) {
                link.corrupt = error.what();
            }
        }
        const bool had_started = options_.initializer ? link.results_seen() > 0
                                                      : link.box().ready.load(std::memory_order_acquire) != 0;
        run* const interrupted = link.interrupted();
        const bool was_of_use = interrupted || link.results_seen() > 0 || link.out_elements() == 0;
        restarts_ = had_started && was_of_use ? 0 : restarts_ + 1;
        if (interrupted) blame(link, *interrupted);
        requeue(link);
        if (link.zygote == zygote_number_)
            zygote_->reap(static_cast<std::uint32_t>(slot_of(link)), link.serial);
        else
            --lost_;
        poller_.remove(link.results());
        if (std::exchange(link.watching_tasks, false)) poller_.remove(link.tasks());
        link.disconnect();
        link.now = worker_link::state::down;
        if (restarts_ > restart_limit())
            fail(last_death_ ? last_death_
                             : std::make_exception_ptr(WorkerDied(
                                   "procpool: workers die before they can run anything: " +
                                       posix::describe(*link.exit),
                                   {link.told_pid(), link.exit->code, link.exit->signal, std::nullopt})));
    }

    /// Enough for bad luck, too few for a storm.
    unsigned restart_limit() const noexcept { return 2 * static_cast<unsigned>(links_.size()) + 2; }

    /// The element that a worker was running when it died gets another try, or its death as its error.
    void blame(worker_link& link, run& interrupted) {
        const bool in_initializer = interrupted.job == options_.initializer;
        const std::uint64_t index = interrupted.elements.first + interrupted.results;
        const std::uint32_t attempts = interrupted.elements.attempts + 1;
        if (!in_initializer && attempts <= interrupted.job->retries) {
            block rest = std::move(interrupted.elements);
            rest.take_front(interrupted.results);
            block again = rest.take_front(1);
            again.attempts = attempts;
            interrupted.elements = std::move(rest);
            interrupted.results = 0;
            pending_retry_ = {interrupted.job, std::move(again)};
            return;
        }
        std::string text = "procpool: worker " + std::to_string(link.told_pid()) + " died ";
        text +=
            in_initializer ? "in its initializer: " : "while it ran element " + std::to_string(index) + ": ";
        text += posix::describe(*link.exit);
        if (link.corrupt) text += " (killed, because its results were garbage: " + *link.corrupt + ")";
        if (attempts > 1) text += ", in each of " + std::to_string(attempts) + " attempts";
        const auto error =
            std::make_exception_ptr(WorkerDied(text, {link.told_pid(), link.exit->code, link.exit->signal,
                                                      in_initializer ? std::nullopt : std::optional(index)}));
        link.drop_interrupted(interrupted);
        if (in_initializer)
            last_death_ = error;
        else
            deliveries_.push_back({.job = interrupted.job,
                                   .first = index,
                                   .count = 1,
                                   .what = delivery::kind::error,
                                   .bytes = {},
                                   .error = error});
    }

    /// Elements that a worker had not begun go back to where they came from, in front.
    void requeue(worker_link& link) {
        std::deque<run> unfinished = link.take_unfinished();
        for (auto one = unfinished.rbegin(); one != unfinished.rend(); ++one) {
            if (!one->job || one->job == options_.initializer || one->left() == 0) continue;
            if (one->job->abandoned || one->job->failure()) continue;
            if (one->results > 0) one->elements.take_front(one->results);
            push_ready(one->job, std::move(one->elements), true);
        }
        if (auto again = std::exchange(pending_retry_, {}); again.job && !again.job->abandoned)
            push_ready(again.job, std::move(again.elements), true);
    }

    /// The pool can't go on: every pending and later call gets this error.
    void fail(const std::exception_ptr& error) {
        if (failure_) return;
        failure_ = error;
        queue_.clear();
        const std::vector<std::shared_ptr<remote_job>> jobs = jobs_;
        for (const auto& job : jobs) {
            job->abandoned = true;  // what workers still send comes too late: the caller may be reading
            job->ready.clear();
            job->listed = false;
            job->fail_all(error);
            finish_if_complete(job);
        }
        interrupt_driver();
    }

    void shut_down(lock& held, bool gracefully) {
        if (std::exchange(shutting_down_, true)) {
            ended_.wait(held, [this] { return has_ended_ || is_stand_in(); });
            return;
        }
        closed_ = true;
        stop_stand_in(held);
        if (!is_stand_in()) join_stand_in(held);
        bool busy = false;
        for (worker_link& link : links_) {
            busy = busy || link.out_elements() > 0 || link.exit;
            link.disconnect();  // an idle worker leaves at the end of its input
        }
        const std::unique_ptr<posix::zygote> zygote = std::move(zygote_);
        held.unlock();
        if (zygote && gracefully && !busy) {
            zygote->finish();
            zygote->wait();
        }
        if (zygote) zygote->kill();
        held.lock();
        has_ended_ = true;
        ended_.notify_all();
    }

    struct completed {
        std::shared_ptr<remote_job> job;
        std::vector<std::function<void()>> callbacks;
    };
    struct second_try {
        std::shared_ptr<remote_job> job;
        block elements;
    };

    process_pool_options options_;
    // The one of the thread that makes the pool, whoever replaces a zygote.
    const posix::signal_mask signal_mask_ = posix::signal_mask::of_this_thread();
    posix::fd memory_file_;
    posix::mapping memory_;
    posix::poller poller_;
    std::unique_ptr<posix::zygote> zygote_;
    std::uint64_t zygote_number_ = 0;  // tells it from those before
    std::vector<worker_link> links_;
    std::uint64_t last_serial_ = 0;
    std::uint64_t last_id_ = 0;

    std::vector<std::shared_ptr<remote_job>> jobs_;  // not complete
    std::deque<std::shared_ptr<remote_job>> queue_;  // those with elements ready
    std::vector<completed> completing_;              // complete, callbacks to be run
    unsigned callbacks_running_ = 0;
    wire::pins retired_;
    timing_table timings_;

    std::vector<delivery> local_;         // results that no worker made
    std::vector<worker_link*> dying_;     // whose exit is known and whose remains are not yet taken
    std::vector<worker_link*> releases_;  // whose pinned results were received
    std::vector<worker_link*> finished_;  // that have run all that they may
    std::vector<worker_link*> touched_;   // with something new to send
    // What a step works on.
    std::vector<worker_link*> readable_;
    std::vector<worker_link*> writable_;
    std::vector<delivery> deliveries_;
    second_try pending_retry_;

    std::exception_ptr failure_;
    std::exception_ptr last_death_;
    std::size_t lost_ = 0;   // workers whose zygote is gone and who are still to be buried
    unsigned restarts_ = 0;  // in a row, of workers that died before they got anywhere
    int fork_error_ = 0;
    std::optional<steady_time> retry_at_;
    bool closed_ = false;
    bool shutting_down_ = false;
    bool has_ended_ = false;
    std::condition_variable ended_;
};

using process_pool = basic_process_pool<>;

}  // namespace procpool::detail::backend

#endif
