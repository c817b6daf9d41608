// SPDX-License-Identifier: MIT
// How threads wait for results, and pull inputs meanwhile.
#ifndef PROCPOOL_DETAIL_JOB_RUNNER_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_RUNNER_IMPL_HPP

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/condition.hpp"
#include "procpool/detail/job/element_callbacks.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/job/pulled_input.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::job {

PROCPOOL_COMPILED_APART runner::runner() { os::fd_registry::instance(); }  // which counts the forks

PROCPOOL_COMPILED_APART runner::~runner() = default;

PROCPOOL_COMPILED_APART std::vector<FinalizerResult> runner::finalizer_results() const { return {}; }

PROCPOOL_COMPILED_APART void runner::throw_is_copy() {
    throw PoolNotRunning(
        "procpool: a pool, its calls and their results can only be used by the process that made the pool; "
        "make another one here");
}

PROCPOOL_COMPILED_APART bool runner::wait(lock& held, condition ready, steady_time deadline,
                                          basic_job* awaited, poll_hook* hook) {
    const os::cancellation_deferred until_it_ends;
    while (!ready()) {
        if (deadline != steady_time::max() && std::chrono::steady_clock::now() >= deadline) {
            leave(held);
            return false;
        }
        if (hook && hook->is_due()) {
            leave(held);
            held.unlock();
            hook->call();
            held.lock();
            if (ready()) break;
        }
        const steady_time until = hook ? std::min(deadline, hook->next()) : deadline;
        if (help(held, until, deadline == steady_time::max() ? awaited : nullptr)) continue;
        waiters_.wait(held, until, ready);
    }
    leave(held);
    return true;
}

PROCPOOL_COMPILED_APART bool runner::wait_or_poll(lock& held, condition ready, steady_time deadline,
                                                  basic_job* awaited) {
    return wait(held, ready, deadline, awaited, poll_hook::current());
}

PROCPOOL_COMPILED_APART void runner::wake_waiters() {
    if (is_copy()) return;
    const lock held = acquire();
    changed();
}

PROCPOOL_COMPILED_APART void runner::drop(const std::shared_ptr<basic_job>& job, running what_runs,
                                          const char* why) {
    if (is_copy()) return;
    if (job->each) job->each->stop();
    lock held = acquire();
    abandon(job, what_runs, why);
    if (job->borrows || job->each)
        wait(held, [&] { return !job->delivering(); }, steady_time::max(), job.get());
    else
        leave(held);
}

PROCPOOL_COMPILED_APART void runner::add_input(pulled_input& input) { inputs_.push_back(&input); }

PROCPOOL_COMPILED_APART void runner::remove_input(pulled_input& input) {
    lock held = acquire();
    wait_until_free(held, input);
    std::erase(inputs_, &input);
}

PROCPOOL_COMPILED_APART void runner::take_over(pulled_input& input) {
    lock held = acquire();
    input.owner = std::this_thread::get_id();  // first, or else join() would pull on and on
    wait_until_free(held, input);
}

PROCPOOL_COMPILED_APART void runner::wait_until_free(lock& held, const pulled_input& input) {
    if (input.in_use)
        wait(held, [&]() PROCPOOL_REQUIRES(pool_mutex) { return !input.in_use; }, steady_time::max());
}

PROCPOOL_COMPILED_APART void runner::wait_and_pull(lock& held, condition ready) {
    for (;;) {
        pulled_input* hungry = nullptr;
        // Whoever notifies calls this, too.
        const auto find_hungry = [&, me = std::this_thread::get_id()]() PROCPOOL_REQUIRES(pool_mutex) {
            const auto at = std::find_if(inputs_.begin(), inputs_.end(),
                                         [me](const pulled_input* one) PROCPOOL_REQUIRES(pool_mutex) {
                                             return one->owner == me && one->wants_more();
                                         });
            hungry = at != inputs_.end() ? *at : nullptr;
            return hungry || ready();
        };
        wait_or_poll(held, find_hungry, steady_time::max());
        if (!hungry) return;
        hungry->in_use = true;
        const struct let_go {
            ~let_go() {
                pulled.in_use = false;
                self.changed();
            }
            runner& self;
            pulled_input& pulled;
        } afterwards{*this, *hungry};
        const unlocked meanwhile(held);
        hungry->pull_more();
    }
}

PROCPOOL_COMPILED_APART void run_callback(const runner& pool,
                                          const std::function<void()>& callback) noexcept {
    pool.run_callback(callback);
}

PROCPOOL_COMPILED_APART void runner::require_running() const {
    if (closed_) throw PoolNotRunning("procpool: Pool not running (it was closed, shut down or terminated)");
    if (failure_) std::rethrow_exception(failure_);
}

PROCPOOL_COMPILED_APART void runner::require_closed() const {
    if (!closed_)
        throw PoolStillRunning("procpool: Pool is still running: call close() or terminate() before join()");
}

}  // namespace procpool::inline v0_1::detail::job

#endif
