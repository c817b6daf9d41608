// SPDX-License-Identifier: MIT
// How a pool ends: by join() or terminate(), by several threads at once, or out of its own callbacks.
#ifndef PROCPOOL_DETAIL_SCHEDULER_ENDING_SCHEDULER_HPP
#define PROCPOOL_DETAIL_SCHEDULER_ENDING_SCHEDULER_HPP

#include <condition_variable>
#include <thread>
#include <utility>

#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/scheduler/scheduler.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// The first that comes to shut_down() ends the pool; whoever else comes waits for that.
template <class = only_if_used>
class basic_ending_scheduler : public scheduler {
public:
    using lock = scheduler::lock;

    /// Whether this thread is the pool's own, and can't wait for the pool's end.
    virtual bool is_own_thread() const noexcept { return false; }

    /// Waits until all work is done, then lets the workers go.
    void join(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        require_closed();
        refuse_to_join();
        wait_and_pull(held, [this]() PROCPOOL_REQUIRES(pool_mutex) {
            return !has_jobs() && (failure_ || workers_are_idle());
        });
        finalize(held);
        shut_down(held, true);
    }

    /// Ends all workers now; every pending result is PoolTerminated.
    void terminate(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        set_terminated();
        fail(job::make_error<PoolTerminated>("procpool: the pool was terminated"));
        if (postpones_end()) return;
        run_callbacks(held);
        shut_down(held, false);
        run_callbacks(held);  // of what a last step was delivering
    }

protected:
    using scheduler::scheduler;

    void shut_down(lock& held, bool gracefully) PROCPOOL_REQUIRES(pool_mutex) {
        const os::cancellation_deferred until_it_ends;
        if (std::exchange(shutting_down_, true)) {
            if (!gracefully && !has_ended_) hurry_end();
            ended_.wait(held.native(), [this]() PROCPOOL_REQUIRES(pool_mutex) {
                return has_ended_ || is_own_thread() || ender_ == std::this_thread::get_id();
            });
            return;
        }
        closed_ = true;
        ender_ = std::this_thread::get_id();
        try {
            end(held, gracefully);
        } catch (...) {
            note_end();
            throw;
        }
        note_end();
        after_end(held);
    }

    bool is_shutting_down() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return shutting_down_; }
    bool has_ended() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return has_ended_; }

    /// @throws Error in a thread that the pool's end waits for
    virtual void refuse_to_join() const PROCPOOL_REQUIRES(pool_mutex) {
        if (in_callback()) throw Error("procpool: a callback can't join the pool that runs it");
    }
    virtual bool workers_are_idle() const PROCPOOL_REQUIRES(pool_mutex) { return true; }
    /// What comes after all work, while there are workers.
    virtual void finalize(lock& /*held*/) PROCPOOL_REQUIRES(pool_mutex) {}
    /// Whether this thread is in code of the user's that a step has called: the pool ends after that.
    virtual bool postpones_end() PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Ends the workers. The lock is held again also when it throws.
    virtual void end(lock& held, bool gracefully) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// end() lets workers come to their own end, and is to do so no more.
    virtual void hurry_end() PROCPOOL_REQUIRES(pool_mutex) {}
    /// Nobody waits for this.
    virtual void after_end(lock& /*held*/) PROCPOOL_REQUIRES(pool_mutex) {}

private:
    void note_end() PROCPOOL_REQUIRES(pool_mutex) {
        has_ended_ = true;
        ender_ = {};
        ended_.notify_all();
    }

    bool shutting_down_ PROCPOOL_GUARDED_BY(pool_mutex) = false;
    bool has_ended_ PROCPOOL_GUARDED_BY(pool_mutex) = false;
    std::thread::id ender_ PROCPOOL_GUARDED_BY(pool_mutex);  // while it ends
    std::condition_variable ended_;
};
using ending_scheduler = basic_ending_scheduler<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
