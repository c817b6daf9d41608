// SPDX-License-Identifier: MIT
// Something that runs jobs, as those see it who wait for results.
#ifndef PROCPOOL_DETAIL_JOB_RUNNER_HPP
#define PROCPOOL_DETAIL_JOB_RUNNER_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/condition.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/pending_calls.hpp"
#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/job/pulled_input.hpp"
#include "procpool/detail/job/wait_list.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1::detail::job {

class observation;
class poll_hook;

/// What handles of results hold: all that they need, and nothing of where tasks run.
///
/// In a forked child it is a copy, without the workers and the threads, and with a lock that may be held for
/// ever; whatever a handle does begins with a check of that.
class runner {
public:
    using lock = pool_lock;

    runner();
    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;
    PROCPOOL_COMPILED_APART virtual ~runner();

    /// Takes the lock that guards the runner and all its jobs. @throws PoolNotRunning from a copy
    lock acquire() PROCPOOL_ACQUIRE(pool_mutex) PROCPOOL_NO_THREAD_SAFETY_ANALYSIS {
        refuse_copy();
        return lock(mutex_);  // the analysis doesn't see that it is handed on
    }

    /// Whether it is a copy in a forked child. Without the lock.
    bool is_copy() const noexcept { return !made_.is_here(); }
    /// Without the lock. @throws PoolNotRunning if it is a copy
    void refuse_copy() const {
        if (is_copy()) throw_is_copy();
    }

    pool_state state() const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        if (terminated_) return pool_state::terminated;
        if (failure_) return pool_state::failed;
        return closed_ ? pool_state::closed : pool_state::running;
    }
    /// What every call gets; null as long as there is no such thing.
    const std::exception_ptr& failure() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return failure_; }

    /// Number of workers.
    virtual std::size_t size() const noexcept = 0;

    /// Blocks until `ready()` or the deadline; tells which. Whoever waits for one job names it. If the hook
    /// throws, the lock is free.
    bool wait(lock& held, condition ready, steady_time deadline, basic_job* awaited = nullptr,
              poll_hook* hook = nullptr) PROCPOOL_REQUIRES(pool_mutex);
    /// The same for who may be interrupted.
    bool wait_or_poll(lock& held, condition ready, steady_time deadline, basic_job* awaited = nullptr)
        PROCPOOL_REQUIRES(pool_mutex);
    /// Who waits checks again.
    void wake_waiters() PROCPOOL_EXCLUDES(pool_mutex);

    /// What happens to elements that run when their job is given up.
    enum class running { goes_on, is_ended };
    /// Nobody wants the results any more: what has not begun won't run. Nothing if the job is complete.
    /// @return whether anything was left to be given up
    virtual bool abandon(const std::shared_ptr<basic_job>& job, running what_runs, const char* why)
        PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// The same for one call, also while it runs; others of its job go on.
    virtual bool abandon_call(const std::shared_ptr<basic_job>& job, std::uint64_t /*call*/, const char* why)
        PROCPOOL_REQUIRES(pool_mutex) {
        return abandon(job, running::is_ended, why);
    }

    /// Elements of the job that have not begun fail with TaskCancelled; those that run go on.
    /// @return how many have failed
    virtual std::uint64_t withdraw(const std::shared_ptr<basic_job>& job, const char* why)
        PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Whether elements of the job wait for a worker, or in one.
    virtual bool has_waiting(const basic_job& job) const PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// The same as withdraw(), of one call. May let the lock go meanwhile.
    /// @return whether it has failed
    virtual bool withdraw_call(lock& /*held*/, const std::shared_ptr<basic_job>& job, std::uint64_t /*call*/,
                               const char* why) PROCPOOL_REQUIRES(pool_mutex) {
        return withdraw(job, why) > 0;
    }
    /// The same as has_waiting(), of one call.
    virtual bool is_waiting(const basic_job& job, std::uint64_t /*call*/) const
        PROCPOOL_REQUIRES(pool_mutex) {
        return has_waiting(job);
    }
    /// No new jobs, and no more elements of those at hand. If there is a `why`, what has not begun is
    /// withdrawn.
    virtual void wind_up(const char* why) PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Gives a job up for its caller; a copy has none to give up.
    void drop(const std::shared_ptr<basic_job>& job, running what_runs, const char* why)
        PROCPOOL_EXCLUDES(pool_mutex);

    // ---- single calls, where there may be only so many of them

    /// For one of its own, before its first call.
    void limit_pending(const pending_limits& limits) PROCPOOL_REQUIRES(pool_mutex);
    bool limits_pending() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return pending_ != nullptr; }
    /// Before a call with so many bytes is added: waits until there is room, if it shall and can. The lock is
    /// free meanwhile. @return false if it isn't to be made
    bool admit(lock& held, std::uint64_t bytes, const admission& how) PROCPOOL_REQUIRES(pool_mutex) {
        return !pending_ || pending_->has_room(bytes) || wait_for_room(held, bytes, how);
    }
    /// After it was added.
    void count_pending(basic_job& job, std::uint64_t bytes) noexcept PROCPOOL_REQUIRES(pool_mutex) {
        if (!pending_) return;
        pending_->enter(bytes);
        job.pending_among = pending_.get();
        job.pending_bytes = bytes;
    }

    // ---- inputs that are pulled while results are taken

    void add_input(pulled_input& input) PROCPOOL_REQUIRES(pool_mutex);
    /// Who pulls comes to an end before.
    void remove_input(pulled_input& input) PROCPOOL_EXCLUDES(pool_mutex);
    /// From now on it is this thread that pulls.
    void take_over(pulled_input& input) PROCPOOL_EXCLUDES(pool_mutex);

    /// To be called by a thread that has changed something and does not wait; it may let the lock go
    /// meanwhile.
    virtual void leave(lock& held) PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Runs a callback of the user's; what it throws is reported and goes no further.
    virtual void run_callback(const std::function<void()>& callback) const noexcept = 0;

    /// What came of finalizers so far.
    PROCPOOL_COMPILED_APART virtual std::vector<FinalizerResult> finalizer_results() const
        PROCPOOL_REQUIRES(pool_mutex);

    /// No new jobs; those at hand go on.
    virtual void close() PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Waits until all work is done, then lets the workers go.
    virtual void join(lock& held) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Ends all work now; every pending result is PoolTerminated.
    virtual void terminate(lock& held) PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Of its jobs and workers; null if nobody has ever observed any.
    const std::shared_ptr<observation>& observed() const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        return observed_;
    }
    /// For one of its own.
    void observe(std::shared_ptr<observation> by) noexcept PROCPOOL_REQUIRES(pool_mutex) {
        observed_ = std::move(by);
    }

protected:
    /// Does something useful in a thread that waits, until `deadline`; false if there is nothing that it
    /// could do. `awaited` is the job that it waits for without a limit, if there is one.
    virtual bool help(lock& held, steady_time deadline, basic_job* awaited) PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Whether this thread may wait for others' results, and isn't needed for them.
    virtual bool may_wait_here() const noexcept PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// When a thread that waits here, since help() had nothing to do, is to ask again.
    PROCPOOL_COMPILED_APART virtual steady_time help_due() const noexcept PROCPOOL_REQUIRES(pool_mutex);

    /// Who waits, and who does something useful meanwhile, is to check again.
    virtual void changed() PROCPOOL_REQUIRES(pool_mutex) { notify_ready(); }

    /// Waits until `ready()`, and pulls the inputs of this thread, which nobody else does.
    void wait_and_pull(lock& held, condition ready) PROCPOOL_REQUIRES(pool_mutex);

    /// @throws PoolNotRunning, or the failure
    void require_running() const PROCPOOL_REQUIRES(pool_mutex);
    /// Before a join(). @throws PoolStillRunning
    void require_closed() const PROCPOOL_REQUIRES(pool_mutex);
    void set_terminated() noexcept PROCPOOL_REQUIRES(pool_mutex) {
        closed_ = true;
        if (!failure_) terminated_ = true;
    }

    bool closed_ PROCPOOL_GUARDED_BY(pool_mutex) = false;  // no new jobs
    /// The first; what is at hand has got it.
    std::exception_ptr failure_ PROCPOOL_GUARDED_BY(pool_mutex);

    /// Something that waiters test has changed.
    void notify_ready() PROCPOOL_REQUIRES(pool_mutex) { waiters_.notify_ready(); }
    wait_list& waiters() noexcept PROCPOOL_REQUIRES(pool_mutex) { return waiters_; }
    bool has_waiters() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return !waiters_.empty(); }

private:
    [[noreturn]] static void throw_is_copy();
    bool wait_for_room(lock& held, std::uint64_t bytes, const admission& how) PROCPOOL_REQUIRES(pool_mutex);
    void wait_until_free(lock& held, const pulled_input& input) PROCPOOL_REQUIRES(pool_mutex);

    const os::fork_stamp made_;
    bool terminated_ PROCPOOL_GUARDED_BY(pool_mutex) = false;  // and had not failed before
    std::mutex mutex_;
    wait_list waiters_ PROCPOOL_GUARDED_BY(pool_mutex);
    std::vector<pulled_input*> inputs_ PROCPOOL_GUARDED_BY(pool_mutex);
    std::shared_ptr<observation> observed_ PROCPOOL_GUARDED_BY(pool_mutex);
    std::shared_ptr<pending_calls> pending_ PROCPOOL_GUARDED_BY(pool_mutex);  // null without a limit
};

}  // namespace procpool::inline v0_1::detail::job

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/runner_impl.hpp"
#endif

#endif
