// SPDX-License-Identifier: MIT
// A pool without workers: its tasks run in the threads that call it.
#ifndef PROCPOOL_DETAIL_PROCESS_INLINE_POOL_HPP
#define PROCPOOL_DETAIL_PROCESS_INLINE_POOL_HPP

#include <cxxabi.h>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/finalizer.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/process/inline_peer.hpp"
#include "procpool/detail/process/worker_status.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/ending_scheduler.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/error.hpp"
#include "procpool/observer.hpp"
#include "procpool/pool_status.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::process {

struct inline_pool_options {
    std::function<void(std::exception_ptr)> error_handler;
    std::shared_ptr<scheduler::remote_job> initializer = nullptr;
    scheduler::block initializer_arguments = {};
    bool quote_arguments = true;
    std::vector<std::shared_ptr<Observer>> observers = {};
    bool keeps_statistics = false;
    std::shared_ptr<const job::finalizer> finalizer = nullptr;
    std::uint64_t seed = 0;
};

/// The one peer, as a group.
template <class = only_if_used>
class basic_inline_group final : public scheduler::peer_group {
public:
    explicit basic_inline_group(std::uint64_t pool_seed) : one_(pool_seed) { add(one_); }
    inline_peer& only() noexcept { return one_; }

    void send(scheduler::peer& /*to*/) override {}
    void end(scheduler::peer& /*which*/, ending /*how*/) override {}
    void forget(const scheduler::remote_job& job, bool /*refers*/) override { one_.forget(job); }
    scheduler::death examine(scheduler::peer& /*dead*/, const scheduler::runs_in_flight::running& /*element*/,
                             const scheduler::block& /*bytes*/) override {
        return {};  // it dies with the program
    }

private:
    inline_peer one_;
};
using inline_group = basic_inline_group<>;

/// Elements run when a call has submitted them, before it returns, or when somebody waits: by one thread at a
/// time.
template <class = only_if_used>
class basic_inline_pool final : public scheduler::ending_scheduler {
    using base = scheduler::ending_scheduler;

public:
    using lock = base::lock;

    explicit basic_inline_pool(inline_pool_options options)
        : base({.error_handler = std::move(options.error_handler), .initializer = options.initializer},
               group_, clock_),
          group_(options.seed),
          quote_arguments_(options.quote_arguments),
          finalizer_(std::move(options.finalizer)) {
        lock held = acquire();
        job::observe_pool(*this, std::move(options.observers), options.keeps_statistics, size());
        if (observed()) {
            observed()->quotes_arguments = quote_arguments_;
            observed()->note(WorkerStart{.pid = os::current_pid(), .asked = made_, .began = made_});
        }
        if (options.initializer)
            group_.only().give(std::move(options.initializer), std::move(options.initializer_arguments), 1);
        leave(held);
    }

    const std::shared_ptr<wire::arena>& arena() const noexcept override { return no_arena_; }

    std::vector<WorkerStatus> workers() override PROCPOOL_REQUIRES(pool_mutex) {
        WorkerStatus one{.index = 0, .pid = has_ended() ? 0 : os::current_pid()};
        if (running_) one.running = running_in(group_.only(), quote_arguments_);
        return {std::move(one)};
    }
    Statistics stats(lock& /*held*/) override PROCPOOL_REQUIRES(pool_mutex) {
        Statistics all{.age = std::chrono::steady_clock::now() - made_,
                       .workers = {group_.only().account(events().initializer() != nullptr)}};
        if (observed()) observed()->add_statistics(all);
        return all;
    }
    /// There is one thread, whatever is wished.
    void resize(int workers) override PROCPOOL_REQUIRES(pool_mutex) {
        require_running();
        if (workers < 1) job::refuse("resize() takes 1 worker or more, not ", std::to_string(workers));
    }
    std::vector<FinalizerResult> finalizer_results() const override PROCPOOL_REQUIRES(pool_mutex) {
        return finalizer_results_;
    }
    bool has_workers() const override PROCPOOL_REQUIRES(pool_mutex) { return false; }

    void leave(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        while (!running_ && step(held)) {
        }
    }

private:
    bool runs_here() const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        return running_ && runner_ == std::this_thread::get_id();
    }
    bool help(lock& held, steady_time /*deadline*/, job::basic_job* /*awaited*/) override
        PROCPOOL_REQUIRES(pool_mutex) {
        if (observed()) observed()->note_wait();
        if (runs_here()) throw Error("procpool: a task can't wait for the pool without workers that runs it");
        return !running_ && step(held);
    }
    bool is_driven_here() const noexcept override PROCPOOL_REQUIRES(pool_mutex) { return runs_here(); }
    /// Nobody else runs what waits for another attempt.
    steady_time help_due() const noexcept override PROCPOOL_REQUIRES(pool_mutex) { return tries_.next(); }
    void interrupt_driver() override PROCPOOL_REQUIRES(pool_mutex) { notify_ready(); }
    void hand_over() override PROCPOOL_REQUIRES(pool_mutex) { waiters().wake_one(); }
    void notice_pause() override PROCPOOL_REQUIRES(pool_mutex) {}

    /// Runs one element, and what comes of it. @return whether there was anything to do
    bool step(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        running_ = true;
        runner_ = std::this_thread::get_id();
        bool any = false;
        try {
            begin_step();
            any = has_something_at_hand();
            take_local_results();
            if (group_.only().run_next(held, events().collected())) {
                any = true;
                events().note_results(group_.only());
            }
            give_out();
            deliver(held);
            group_.only().let_go(held);
        } catch (abi::__forced_unwind&) {
            give_up(held, job::make_error<Error>("procpool: a task has ended the thread that ran it"));
            running_ = false;
            throw;
        } catch (...) {
            give_up(held, std::current_exception());
        }
        running_ = false;
        run_callbacks(held);
        destroy_retired(held);
        if (!any) return false;
        notify_ready();
        hand_over();  // another thread may have waited for this one
        return true;
    }
    /// What threw may have left the lock open.
    void give_up(lock& held, const std::exception_ptr& error)
        PROCPOOL_REQUIRES(pool_mutex) PROCPOOL_NO_THREAD_SAFETY_ANALYSIS {
        if (!held.owns_lock()) held.lock();
        events().collected().clear();
        fail(error);
    }

    void refuse_to_join() const override PROCPOOL_REQUIRES(pool_mutex) {
        if (in_callback() || runs_here())
            throw Error("procpool: a task or a callback can't join the pool that runs it");
    }
    /// By a task, which goes on.
    bool postpones_end() override PROCPOOL_REQUIRES(pool_mutex) { return runs_here(); }

    void end(lock& held, bool gracefully) override PROCPOOL_REQUIRES(pool_mutex) {
        wait(held, [this]() PROCPOOL_REQUIRES(pool_mutex) { return !running_; }, steady_time::max());
        const auto& initializer = events().initializer();
        const bool began = !initializer || !initializer->failure();
        std::vector<FinalizerResult> results;
        inline_peer& only = group_.only();
        {
            const job::unlocked meanwhile(held);
            only.leave(gracefully && began ? finalizer_.get() : nullptr, results);
            for (const FinalizerResult& one : results)
                if (one.error) run_callback([&] { std::rethrow_exception(one.error); });
        }
        finalizer_results_ = std::move(results);
    }
    void after_end(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        if (!observed()) return;
        observed()->note(WorkerEnd{.pid = os::current_pid(), .ended = std::chrono::steady_clock::now()});
        tell_observers(held);
    }

    const steady_time_source clock_;
    const steady_time made_ = std::chrono::steady_clock::now();
    inline_group group_ PROCPOOL_GUARDED_BY(pool_mutex);
    const std::shared_ptr<wire::arena> no_arena_;
    const bool quote_arguments_;
    const std::shared_ptr<const job::finalizer> finalizer_;
    std::vector<FinalizerResult> finalizer_results_ PROCPOOL_GUARDED_BY(pool_mutex);
    bool running_ PROCPOOL_GUARDED_BY(pool_mutex) = false;
    std::thread::id runner_ PROCPOOL_GUARDED_BY(pool_mutex);
};
using inline_pool = basic_inline_pool<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
