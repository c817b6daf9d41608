// SPDX-License-Identifier: MIT
// Runs jobs on threads of this process.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_POOL_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_POOL_HPP

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/job/finalizer.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/thread/elements_for_one.hpp"
#include "procpool/detail/thread/thread_jobs.hpp"
#include "procpool/detail/thread/thread_notes.hpp"
#include "procpool/detail/thread/thread_pool_options.hpp"
#include "procpool/detail/thread/worker_thread.hpp"
#include "procpool/detail/worker/exit_functions.hpp"
#include "procpool/error.hpp"
#include "procpool/pool_status.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::thread {

template <class = only_if_used>
class basic_thread_pool final : public thread_jobs, public std::enable_shared_from_this<basic_thread_pool<>> {
public:
    explicit basic_thread_pool(thread_pool_options options)
        : thread_jobs(std::move(options.error_handler)), options_(std::move(options)) {
        if (options_.finalizer) finalizer_results_.reserve(options_.threads);
        const lock held = acquire();
        limit_pending(options_.pending);
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

    // ---- the pool's life

    std::vector<FinalizerResult> finalizer_results() const override PROCPOOL_REQUIRES(pool_mutex) {
        return finalizer_results_;
    }

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
        destroy_retired(held);
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
        make_due_ready();
        if (!queue_.empty()) {
            run_some(turns_.take_from(queue_), held);
        } else if (stopping_) {
            return false;
        } else {
            ++idle_;
            wait_for_work(held);
            --idle_;
        }
        return true;
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
        for (std::uint64_t failed = 0;;) {
            elements part = some.take_front(job->at_once);
            if (some.count == 0) some.values.reset();  // the part has them
            if (job->observed) {
                tell_begin(*job, part);
                tell_observers(held);
            }
            failed += run(*job, std::move(part), held);
            if (job->put_off) put_off(job);
            if (some.count == 0 || job->abandoned || job->is_limit_of_failures(failed)) {
                if (job->borrows) job->end_delivery();
                settle(job, failed);
                jobs_.retire(std::move(some.values));
                break;
            }
            notify_ready();
        }
        // This may be the end of it, and of what it has of the user's.
        if (job->settled()) jobs_.retire(std::move(job));
    }

    static std::uint64_t run(thread_job& job, elements some, lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        try {
            return job.run(std::move(some), held);
        } catch (...) {
            if (!held.owns_lock()) held.lock();
            if (job.borrows) job.end_delivery();
            throw;
        }
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
        make_due_ready();
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

    bool may_wait_here() const noexcept override PROCPOOL_REQUIRES(pool_mutex) {
        return !is_worker() && !callbacks_.running_here() && !(observed() && observed()->is_told_here());
    }
    /// A thread that waits in a task may be the only one that is there for it.
    steady_time help_due() const noexcept override PROCPOOL_REQUIRES(pool_mutex) {
        return is_worker() ? delayed_due() : steady_time::max();
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
