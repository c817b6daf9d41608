// SPDX-License-Identifier: MIT
// Runs jobs on threads of this process.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_POOL_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_POOL_HPP

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/job/callback_runner.hpp"
#include "procpool/detail/job/finalizer.hpp"
#include "procpool/detail/job/job_list.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/job/turns.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/thread/elements_for_one.hpp"
#include "procpool/detail/thread/thread_backend.hpp"
#include "procpool/detail/thread/thread_notes.hpp"
#include "procpool/detail/thread/thread_pool_options.hpp"
#include "procpool/detail/thread/worker_thread.hpp"
#include "procpool/detail/worker/exit_functions.hpp"
#include "procpool/error.hpp"
#include "procpool/pool_status.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::thread {

template <class = only_if_used>
class basic_thread_pool final : public thread_backend,
                                public std::enable_shared_from_this<basic_thread_pool<>> {
public:
    explicit basic_thread_pool(thread_pool_options options)
        : options_(std::move(options)), callbacks_(std::move(options_.error_handler)) {
        if (options_.finalizer) finalizer_results_.reserve(options_.threads);
        const lock held = acquire();
        job::observe_pool(*this, std::move(options_.observers), options_.keeps_statistics, options_.threads);
    }

    /// To be called once. The threads keep the pool alive until they end.
    /// @throws std::system_error if not all of them can be started
    void start() {
        try {
            threads_.start(options_.threads, [this](std::uint32_t i) {
                return [self = this->shared_from_this(), i] { self->work(i); };
            });
        } catch (...) {
            lock held = acquire();
            shut_down(held);
            throw;
        }
    }

    std::size_t size() const noexcept override { return options_.threads; }

    // ---- jobs

    void add(const std::shared_ptr<thread_job>& job) override PROCPOOL_REQUIRES(pool_mutex) {
        require_running();
        job->number = ++last_number_;
        if (observed() || job->observed) begin_observed(*this, *job);
        jobs_.add(job);
    }

    void submit(const std::shared_ptr<thread_job>& job, elements some) override
        PROCPOOL_REQUIRES(pool_mutex) {
        job->add_submitted(some.count);
        job->expected -= std::min(job->expected, some.count);
        if (job->failure() || job->abandoned) {
            jobs_.retire(std::move(some.values));
            return;
        }
        const std::uint64_t chunks = (some.count - 1) / job->chunk + 1;
        job->ready_elements += some.count;
        job->ready.push_back(std::move(some));
        if (!std::exchange(job->listed, true)) enqueue(job);
        for (std::uint64_t wanted = std::min<std::uint64_t>(idle_, chunks); wanted > 0; --wanted)
            work_.notify_one();
    }

    void submit_to_each(const std::shared_ptr<thread_job>& job, elements all) override
        PROCPOOL_REQUIRES(pool_mutex) {
        job->add_submitted(all.count);
        for_one_.add(job, std::move(all));
        work_.notify_all();
        waiters().wake_all();  // among them threads of the pool that wait in a task
    }

    void submit_failed(const std::shared_ptr<thread_job>& job, std::uint64_t index,
                       std::exception_ptr error) override PROCPOOL_REQUIRES(pool_mutex) {
        job->add_submitted(1);
        job->expected -= std::min<std::uint64_t>(job->expected, 1);
        if (job->failure() || job->abandoned) return;
        job->fail(index, std::move(error));
        job->publish(index, 1);
        if (job->observed) tell_not_kept(*job, index);
        settle(job, false);
    }

    void seal(const std::shared_ptr<thread_job>& job) override PROCPOOL_REQUIRES(pool_mutex) {
        job->seal();
        finish_if_complete(job);
    }

    bool abandon(const std::shared_ptr<job::basic_job>& given_up, running /*what_runs*/,
                 const char* why) override PROCPOOL_REQUIRES(pool_mutex) {
        if (given_up->complete() || given_up->settled()) return false;
        const auto job = std::static_pointer_cast<thread_job>(given_up);
        give_up(job, job::make_error<TaskCancelled>(why));
        return true;
    }

    std::uint64_t withdraw(const std::shared_ptr<job::basic_job>& wanted, const char* why) override
        PROCPOOL_REQUIRES(pool_mutex) {
        if (wanted->complete() || wanted->settled()) return 0;
        const auto job = std::static_pointer_cast<thread_job>(wanted);
        const std::uint64_t count = std::exchange(job->ready_elements, 0);
        const auto error = job::make_error<TaskCancelled>(why);
        if (job->sealed() && count == job->submitted()) {
            give_up(job, error);
            return count;
        }
        for (const elements& some : job->ready) {
            for (std::uint64_t i = some.first; i < some.first + some.count; ++i) job->fail(i, error);
            job->publish(some.first, some.count);
            if (job->observed) tell_cancelled(*job, some.first, some.count);
        }
        drop_ready(job);
        finish_if_complete(job);
        notify_ready();
        return count;
    }

    bool has_waiting(const job::basic_job& job) const override PROCPOOL_REQUIRES(pool_mutex) {
        return job.ready_elements > 0;
    }

    // ---- the pool's life

    std::vector<FinalizerResult> finalizer_results() const override PROCPOOL_REQUIRES(pool_mutex) {
        return finalizer_results_;
    }

    void wind_up(const char* why) override PROCPOOL_REQUIRES(pool_mutex) {
        closed_ = true;
        const std::vector<std::shared_ptr<thread_job>> jobs = jobs_.open();
        for (const auto& job : jobs) {
            if (why) withdraw(job, why);
            seal(job);
        }
    }

    void close() override PROCPOOL_REQUIRES(pool_mutex) { closed_ = true; }

    void join(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        require_closed();
        if (is_worker() || callbacks_.running_here())
            throw Error("procpool: a task or a callback can't join the pool that runs it");
        wait_and_pull(held, [this]() PROCPOOL_REQUIRES(pool_mutex) { return jobs_.empty(); });
        shut_down(held);
    }

    void terminate(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        set_terminated();
        fail(job::make_error<PoolTerminated>("procpool: the pool was terminated"));
        leave(held);
        shut_down(held);
    }

    void leave(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        run_callbacks(held);
        end_threads(held);
    }

    void run_callback(const std::function<void()>& callback) const noexcept override {
        callbacks_.run(callback);
    }

private:
    // ---- one thread

    void work(std::uint32_t index) {
        const worker::identity who = new_identity(options_, index);
        worker::this_thread = &who;
        pool_of_this_thread() = this;
        const std::exception_ptr unfit = set_up(options_, index);
        lock held = acquire();
        if (observed()) tell_thread(*this, index, thread_event::starts);
        if (unfit) fail(unfit);
        for (bool goes_on = true; goes_on;) {
            try {
                goes_on = run_next(held);
            } catch (...) {  // not a task's, which its caller gets: there is no memory, for instance
                if (!held.owns_lock()) held.lock();
                fail(std::current_exception());
            }
        }
        if (observed()) tell_thread(*this, index, thread_event::ends);
        leave(held);
        held.unlock();
        if (options_.finalizer && !unfit) finalize(index);
        worker::run_exit_functions();
    }

    void finalize(std::uint32_t index) PROCPOOL_EXCLUDES(pool_mutex) {
        FinalizerResult end = job::run_finalizer(*options_.finalizer, index);
        if (end.error) run_callback([&] { std::rethrow_exception(end.error); });
        const lock held = acquire();
        finalizer_results_.push_back(std::move(end));
    }

    /// Runs something, or waits until there may be something to run. False if there won't be.
    bool run_next(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        leave(held);
        if (run_own(held)) return true;
        if (!queue_.empty()) {
            run_some(turns_.take_from(queue_), held);
        } else if (stopping_) {
            return false;
        } else {
            ++idle_;
            work_.wait(held.native());
            --idle_;
        }
        return true;
    }

    void enqueue(const std::shared_ptr<thread_job>& job) PROCPOOL_REQUIRES(pool_mutex) {
        queue_.push_back(job);
        turns_.add(*job);
    }
    /// Runs an element that is for this thread alone; false if there is none.
    bool run_own(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        auto next = for_one_.take(*worker::current().index);
        if (!next) return false;
        if (next->job->abandoned || next->job->failure()) {
            jobs_.retire(std::make_shared<elements_for_one::taken>(std::move(*next)));
        } else {
            if (next->job->borrows) next->job->begin_delivery();
            run_taken(std::move(next->job), std::move(next->one), held);
        }
        return true;
    }

    /// Runs a chunk of a job that was taken out of the queue.
    void run_some(std::shared_ptr<thread_job> job, lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        elements& front = job->ready.front();
        elements some = front.take_front(job->chunk);
        if (front.count == 0) job->ready.pop_front();
        job->ready_elements -= some.count;
        job->listed = !job->ready.empty();
        if (job->listed) enqueue(job);  // all jobs in turn
        if (job->borrows) job->begin_delivery();
        run_taken(std::move(job), std::move(some), held);
    }

    void run_taken(std::shared_ptr<thread_job> job, elements some, lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        for (;;) {
            elements part = some.take_front(job->at_once);
            if (some.count == 0) some.values.reset();  // the part has them
            if (job->observed) {
                tell_begin(*job, part.first);
                tell_observers(held);
            }
            const bool good = run(*job, std::move(part), held);
            if (some.count == 0 || job->abandoned || (!good && job->fail_fast)) {
                if (job->borrows) job->end_delivery();
                settle(job, good);
                jobs_.retire(std::move(some.values));
                break;
            }
            notify_ready();
        }
        // This may be the end of it, and of what it has of the user's.
        if (job->settled()) jobs_.retire(std::move(job));
    }

    static bool run(thread_job& job, elements some, lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        try {
            return job.run(std::move(some), held);
        } catch (...) {
            if (!held.owns_lock()) held.lock();
            if (job.borrows) job.end_delivery();
            throw;
        }
    }

    /// After some results of a job have come.
    void settle(const std::shared_ptr<thread_job>& job, bool good) PROCPOOL_REQUIRES(pool_mutex) {
        if (!good && job->fail_fast)
            abandon(job, running::goes_on, "procpool: dropped, since another element had failed (fail_fast)");
        finish_if_complete(job);
        notify_ready();
    }

    bool is_worker() const noexcept { return pool_of_this_thread() == this; }

    /// A task that waits for a job of its own pool runs that meanwhile: there may be no other thread for it.
    bool help(lock& held, steady_time /*deadline*/, job::basic_job* awaited) override
        PROCPOOL_REQUIRES(pool_mutex) {
        if (observed()) observed()->note_wait();
        if (jobs_.has_callbacks() && !callbacks_wait(*this)) {
            run_callbacks(held);
            return true;
        }
        if (!awaited || !is_worker()) return false;
        const job::poll_hook::without interruptions;  // of a wait that the task isn't part of
        if (run_own(held)) return true;               // others may wait for it, as this one for them
        const auto job =
            std::find_if(queue_.begin(), queue_.end(), [&](const auto& one) { return one.get() == awaited; });
        if (job == queue_.end()) return false;
        std::shared_ptr<thread_job> taken = std::move(*job);
        queue_.erase(job);
        run_some(std::move(taken), held);
        return true;
    }

    // ---- the end of jobs

    void finish_if_complete(const std::shared_ptr<thread_job>& job) PROCPOOL_REQUIRES(pool_mutex) {
        if (!jobs_.complete(job)) return;
        if (job->observed && observed()) observed()->end(*job);
        if (jobs_.has_callbacks() && idle_ > 0) work_.notify_one();
        notify_ready();
    }

    void drop_ready(const std::shared_ptr<thread_job>& job) PROCPOOL_REQUIRES(pool_mutex) {
        for (elements& some : job->ready) jobs_.retire(std::move(some.values));
        job->ready.clear();
        job->ready_elements = 0;
        if (std::exchange(job->listed, false)) std::erase(queue_, job);
    }

    void give_up(const std::shared_ptr<thread_job>& job, std::exception_ptr error)
        PROCPOOL_REQUIRES(pool_mutex) {
        job->abandoned = true;
        job->stopped.store(true, std::memory_order_relaxed);
        drop_ready(job);
        job->fail_all(std::move(error));
        finish_if_complete(job);
        notify_ready();
    }

    /// The pool can't go on: every pending and later call gets this error.
    void fail(const std::exception_ptr& error) PROCPOOL_REQUIRES(pool_mutex) {
        if (failure_) return;
        failure_ = error;
        for (std::size_t left = jobs_.open().size(); left > 0; --left)  // a job that is complete leaves
            give_up(std::shared_ptr<thread_job>(jobs_.open()[left - 1]), error);
    }

    void tell_observers(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        if (observed()) observed()->tell(held, callbacks_);
    }

    void run_callbacks(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        tell_observers(held);
        while (auto next = callbacks_wait(*this) ? std::nullopt : jobs_.begin_callbacks()) {
            held.unlock();
            for (const auto& callback : next->callbacks) run_callback(callback);
            next->callbacks.clear();
            held.lock();
            const auto job = std::static_pointer_cast<thread_job>(next->owner);
            jobs_.end_callbacks(*next);
            if (!job->settled()) finish_if_complete(job);  // they were of its elements
            notify_ready();
        }
    }

    /// Lets go of what may be the last reference to something of the user's.
    void end_threads(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        auto retired = jobs_.take_retired();
        if (retired.empty()) return;
        held.unlock();
        retired.clear();
        held.lock();
    }

    /// Waits for all threads but this one.
    void shut_down(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        const os::cancellation_deferred until_it_ends;
        closed_ = true;
        stopping_ = true;
        work_.notify_all();
        if (is_worker()) return;
        if (std::exchange(shutting_down_, true)) {
            ended_.wait(held.native(), [this]() PROCPOOL_REQUIRES(pool_mutex) { return has_ended_; });
            return;
        }
        held.unlock();
        threads_.join();
        held.lock();
        has_ended_ = true;
        ended_.notify_all();
    }

    thread_pool_options options_;
    const job::callback_runner callbacks_;
    job::job_list<thread_job> jobs_ PROCPOOL_GUARDED_BY(pool_mutex);
    /// Those with elements ready.
    std::deque<std::shared_ptr<thread_job>> queue_ PROCPOOL_GUARDED_BY(pool_mutex);
    job::turns turns_ PROCPOOL_GUARDED_BY(pool_mutex);  // of those
    std::uint64_t last_number_ PROCPOOL_GUARDED_BY(pool_mutex) = 0;
    elements_for_one for_one_ PROCPOOL_GUARDED_BY(pool_mutex);
    std::condition_variable work_;
    std::uint32_t idle_ PROCPOOL_GUARDED_BY(pool_mutex) = 0;  // threads that wait for work
    bool stopping_ PROCPOOL_GUARDED_BY(pool_mutex) = false;
    bool shutting_down_ PROCPOOL_GUARDED_BY(pool_mutex) = false;
    bool has_ended_ PROCPOOL_GUARDED_BY(pool_mutex) = false;
    std::condition_variable ended_;
    std::vector<FinalizerResult> finalizer_results_ PROCPOOL_GUARDED_BY(pool_mutex);
    worker_threads threads_;  // last, so that they end before what they use
};

using thread_pool = basic_thread_pool<>;

}  // namespace procpool::inline v0_1::detail::thread

#endif
