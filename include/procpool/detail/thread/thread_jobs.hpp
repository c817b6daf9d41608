// SPDX-License-Identifier: MIT
// The jobs of a pool of threads, and how they come to their ends.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_JOBS_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_JOBS_HPP

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/callback_runner.hpp"
#include "procpool/detail/job/job_list.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/detail/job/turns.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/thread/delayed_elements.hpp"
#include "procpool/detail/thread/elements_for_one.hpp"
#include "procpool/detail/thread/thread_backend.hpp"
#include "procpool/detail/thread/thread_notes.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::thread {

/// Which threads run them, the pool knows, which derives from it.
template <class = only_if_used>
class basic_thread_jobs : public thread_backend {
public:
    void add(const std::shared_ptr<thread_job>& job) override PROCPOOL_REQUIRES(pool_mutex) {
        require_running();
        job->number = ++last_number_;
        job->runs_in = this;
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
        settle(job, 1);
    }

    void seal(const std::shared_ptr<thread_job>& job) override PROCPOOL_REQUIRES(pool_mutex) {
        job->seal();
        finish_if_complete(job);
    }

    bool abandon(const std::shared_ptr<job::basic_job>& given_up, running what_runs, const char* why) override
        PROCPOOL_REQUIRES(pool_mutex) {
        if (given_up->complete() || given_up->settled()) return false;
        const auto job = std::static_pointer_cast<thread_job>(given_up);
        if (what_runs == running::is_ended) job->unwanted.store(true, std::memory_order_relaxed);
        give_up(job, job::make_error<TaskCancelled>(why));
        return true;
    }

    std::uint64_t withdraw(const std::shared_ptr<job::basic_job>& wanted, const char* why) override
        PROCPOOL_REQUIRES(pool_mutex) {
        if (wanted->complete() || wanted->settled()) return 0;
        const auto job = std::static_pointer_cast<thread_job>(wanted);
        for (elements& one : delayed_.take(*job)) make_ready(job, std::move(one));
        job->withdrawn = true;
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
        return job.ready_elements > 0 || delayed_.has(job);
    }

    void wind_up(const char* why) override PROCPOOL_REQUIRES(pool_mutex) {
        close();
        const std::vector<std::shared_ptr<thread_job>> jobs = jobs_.open();
        for (const auto& job : jobs) {
            if (why) withdraw(job, why);
            seal(job);
        }
    }

    void close() override PROCPOOL_REQUIRES(pool_mutex) {
        closed_ = true;
        notify_ready();  // calls that wait for room wait no longer
    }

    void run_callback(const std::function<void()>& callback) const noexcept override {
        callbacks_.run(callback);
    }

protected:
    explicit basic_thread_jobs(std::function<void(std::exception_ptr)> error_handler)
        : callbacks_(std::move(error_handler)) {}

    void enqueue(const std::shared_ptr<thread_job>& job) PROCPOOL_REQUIRES(pool_mutex) {
        queue_.push_back(job);
        turns_.add(*job);
    }
    void make_ready(const std::shared_ptr<thread_job>& job, elements&& some) PROCPOOL_REQUIRES(pool_mutex) {
        job->ready_elements += some.count;
        job->ready.push_front(std::move(some));
        if (!std::exchange(job->listed, true)) enqueue(job);
    }
    /// An element that has failed runs again after a while.
    void put_off(const std::shared_ptr<thread_job>& job) PROCPOOL_REQUIRES(pool_mutex) {
        elements one = *std::exchange(job->put_off, std::nullopt);
        const auto delay =
            job->withdrawn ? std::chrono::nanoseconds(0) : job::delay_after(*job, one.attempt - 1);
        delayed_.add(job, std::move(one), deadline_in(delay));
        work_.notify_all();  // who waits for work waits no longer than until then
    }
    void make_due_ready() PROCPOOL_REQUIRES(pool_mutex) {
        if (delayed_.empty()) return;
        for (auto& [job, one] : delayed_.take_due(std::chrono::steady_clock::now()))
            make_ready(job, std::move(one));
    }
    steady_time delayed_due() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return delayed_.next(); }
    void wait_for_work(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        if (delayed_.empty())
            work_.wait(held.native());
        else
            work_.wait_until(held.native(), delayed_.next());
    }

    /// After some results of a job have come, of which so many were failures.
    void settle(const std::shared_ptr<thread_job>& job, std::uint64_t failed) PROCPOOL_REQUIRES(pool_mutex) {
        if (failed > 0 && job->note_failures(failed))
            abandon(job, running::goes_on, job->why_dropped().c_str());
        finish_if_complete(job);
        notify_ready();
    }

    void finish_if_complete(const std::shared_ptr<thread_job>& job) PROCPOOL_REQUIRES(pool_mutex) {
        if (!jobs_.complete(job)) return;
        if (job->observed && observed()) observed()->end(*job);
        if (jobs_.has_callbacks() && idle_ > 0) work_.notify_one();
        notify_ready();
    }

    void drop_ready(const std::shared_ptr<thread_job>& job) PROCPOOL_REQUIRES(pool_mutex) {
        for (elements& one : delayed_.take(*job)) jobs_.retire(std::move(one.values));
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
        for (std::size_t left = jobs_.open().size(); left > 0; --left) {  // a job that is complete leaves
            const std::shared_ptr<thread_job> job = jobs_.open()[left - 1];
            job->unwanted.store(true, std::memory_order_relaxed);
            give_up(job, error);
        }
    }

    void tell_observers(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        if (observed()) observed()->tell(held, callbacks_);
    }

    /// The next that are due. Those of a job's end come after observers were told of it.
    auto begin_callbacks(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        tell_observers(held);
        return callbacks_wait(*this) ? std::nullopt : jobs_.begin_callbacks();
    }
    void run_callbacks(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        while (auto next = begin_callbacks(held)) {
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
    void destroy_retired(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        auto retired = jobs_.take_retired();
        if (retired.empty()) return;
        held.unlock();
        retired.clear();
        held.lock();
    }

    const job::callback_runner callbacks_;
    job::job_list<thread_job> jobs_ PROCPOOL_GUARDED_BY(pool_mutex);
    /// Those with elements ready.
    std::deque<std::shared_ptr<thread_job>> queue_ PROCPOOL_GUARDED_BY(pool_mutex);
    job::turns turns_ PROCPOOL_GUARDED_BY(pool_mutex);  // of those
    std::uint64_t last_number_ PROCPOOL_GUARDED_BY(pool_mutex) = 0;
    elements_for_one for_one_ PROCPOOL_GUARDED_BY(pool_mutex);
    delayed_elements delayed_ PROCPOOL_GUARDED_BY(pool_mutex);
    std::condition_variable work_;
    std::uint32_t idle_ PROCPOOL_GUARDED_BY(pool_mutex) = 0;  // threads that wait for work
};
using thread_jobs = basic_thread_jobs<>;

}  // namespace procpool::inline v0_1::detail::thread

#endif
