// SPDX-License-Identifier: MIT
// What stands for a worker where tasks run in the calling thread.
#ifndef PROCPOOL_DETAIL_PROCESS_INLINE_PEER_HPP
#define PROCPOOL_DETAIL_PROCESS_INLINE_PEER_HPP

#include <cxxabi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/finalizer.hpp"
#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/element_times.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/frame_reader.hpp"
#include "procpool/detail/worker/black_box.hpp"
#include "procpool/detail/worker/element_position.hpp"
#include "procpool/detail/worker/exit_functions.hpp"
#include "procpool/detail/worker/outbox_impl.hpp"
#include "procpool/detail/worker/run_pacer_impl.hpp"
#include "procpool/detail/worker/task.hpp"
#include "procpool/pool_status.hpp"
#include "procpool/statistics.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::process {

/// Runs elements as a worker does, from their bytes to the bytes of their results, but one at a time, when it
/// is told to, and in the thread that tells it.
template <class = only_if_used>
class basic_inline_peer final : public scheduler::peer {
public:
    explicit basic_inline_peer(std::uint64_t pool_seed)
        : who_{.index = 0, .seed = worker::seed_of(0, os::current_pid()), .pool_seed = pool_seed},
          memory_(std::make_unique<slot>()),
          box_(*new(memory_->bytes) worker::black_box),
          times_(*new(memory_->bytes + worker::times_offset) wire::element_times),
          outbox_(box_, memory_->bytes + worker::outbox_offset, frames_),
          pacer_(box_, outbox_, &times_) {
        begin(box_.told, &times_);
        box_.told.pid.store(os::current_pid(), std::memory_order_relaxed);
        box_.told.ready.store(steady_ns(), std::memory_order_release);
        tell_start();
        checks_itself = true;  // nothing can be ended that this thread runs
    }

    // ---- what the scheduler asks

    void give(std::shared_ptr<scheduler::remote_job> job, scheduler::block&& elements,
              std::uint32_t /*together*/) override {
        taken += elements.count;
        keeps_all = false;
        const std::size_t size = elements.payload().size();
        books().add(std::move(job), std::move(elements), {});
        books().sent(size);
    }
    std::vector<scheduler::returned> recall() override {
        std::vector<scheduler::returned> back = books().recall(work().results() + (runs_ ? 1 : 0));
        for (const scheduler::returned& one : back) taken -= one.elements.count;
        return back;
    }
    bool collect_early(std::vector<scheduler::delivery>& /*into*/) override { return false; }
    std::int64_t quiet_since() const noexcept override { return 0; }

    // ---- what its pool does with it

    /// Runs the next element, without the lock; its result is appended to `into`. @return false if there is
    /// none
    bool run_next(job::pool_lock& held, std::vector<scheduler::delivery>& into)
        PROCPOOL_REQUIRES(pool_mutex) {
        const auto next = books().at(work().results(), 0);
        if (!next) return false;
        scheduler::run& from = *next->of;
        const std::shared_ptr<scheduler::remote_job> job = from.job;
        // Elements are taken back from the end of a run, and their bytes stay.
        if (from.results == 0)
            elements_ = wire::element_reader(from.elements.payload(), from.elements.stride);
        if (job->has_dropped(next->index, 1)) {
            skip();
            return true;
        }
        callable use = callable_of(*job);
        const std::uint32_t attempt = scheduler::element_notes::attempt(from);
        const bool is_known = use.made != nullptr;
        runs_ = true;
        {
            const job::unlocked meanwhile(held);
            const job::poll_hook::without interruptions;
            const disguise as_worker(*this);
            const bool is_call = job->elements_are_calls();
            worker::element_counter position(who_.pool_seed, is_call ? 0 : job->id);
            position.is(next->index + (is_call ? job->id : 0));
            position.is_attempt(attempt);
            run_element(*job, use);
        }
        runs_ = false;
        if (use.made && !is_known) {
            const bool is_over = job->once() || job->settled();
            (is_over ? retired_ : callables_).push_back(std::move(use));
        }
        while (const auto frame = frames_.next()) {
            if (frame->header.what == wire::result_header::kind::values) {
                wire::element_reader values(frame->payload, frame->header.stride);
                take_values(values, frame->header.stride, into);
            } else {
                take_error(wire::cursor(frame->payload).sized(), os::current_pid(), into);
            }
        }
        return true;
    }
    /// `job` is over.
    void forget(const scheduler::remote_job& job) {
        const auto at = std::find_if(callables_.begin(), callables_.end(),
                                     [&](const auto& one) { return one.job == job.id; });
        if (at == callables_.end()) return;
        retired_.push_back(std::move(*at));
        callables_.erase(at);
    }
    /// Lets go of what is not needed any more, without the lock: callables of jobs that are over, and what
    /// results referred to, which were delivered.
    void let_go(job::pool_lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        std::vector<callable> over = std::exchange(retired_, {});
        const job::unlocked meanwhile(held);
        over.clear();
        outbox_.release_pins(work().results());
    }
    /// What it has done so far.
    Statistics::Worker account(bool has_initializer) const {
        const std::int64_t age = std::max<std::int64_t>(steady_ns() - box_.told.ready.load(), 0);
        const std::int64_t busy = std::min(box_.told.busy_ns.load(), age);
        return {.index = 0,
                .elements = work().results() - (has_initializer && work().results() > 0 ? 1 : 0),
                .failures = threw,
                .flaky = flaky,
                .starts = 1,
                .waiting = std::chrono::nanoseconds(age - busy),
                .working = std::chrono::nanoseconds(busy)};
    }

    /// The pool has ended, in peace if there is a `finalizer`, whose end goes to `into`.
    void leave(const job::finalizer* finalizer, std::vector<FinalizerResult>& into) {
        const disguise as_worker(*this);
        if (finalizer) into.push_back(job::run_finalizer(*finalizer, 0));
        worker::run_exit_functions();
    }

private:
    struct alignas(64) slot {
        std::byte bytes[worker::slot_memory];
    };
    struct callable {
        std::uint64_t job = 0;
        const worker::task_ops* how = nullptr;
        std::shared_ptr<void> made = nullptr;
    };
    /// While it lives, this thread is the worker to whoever asks.
    class disguise {
    public:
        explicit disguise(basic_inline_peer& as) noexcept
            : as_(as), before_(std::exchange(worker::this_thread, &as.who_)) {
            worker::exit_functions().swap(as_.exit_functions_);
        }
        disguise(const disguise&) = delete;
        disguise& operator=(const disguise&) = delete;
        ~disguise() {
            worker::exit_functions().swap(as_.exit_functions_);
            worker::this_thread = before_;
        }

    private:
        basic_inline_peer& as_;
        const worker::identity* const before_;
    };

    /// Nobody wants the next element's result.
    void skip() {
        elements_.next();
        begin_one(0);
        pacer_.end_element();
        books().oldest();
        books().got(1);
    }
    void begin_one(std::uint8_t timed) {
        pacer_.begin_run({.what = wire::task_header::kind::run, .count = 1, .together = 1, .timed = timed},
                         0);
        pacer_.begin_element();
    }

    void run_element(const scheduler::remote_job& job, callable& use) {
        begin_one(job.observed || job.journal ? wire::task_header::noted : 0);
        outbox_.keep_results(job.journal != nullptr);
        try {
            if (!use.made) {
                wire::cursor from(job.definition());
                use.how = &wire::decode_function<worker::task_ops_getter>(from)();
                use.made = use.how->make(from);
            }
            use.how->run(use.made.get(), elements_, pacer_, outbox_);
        } catch (abi::__forced_unwind&) {
            throw;
        } catch (...) {
            if (!use.made) elements_.next();  // what it would have been called with
            wire::encode_current_exception(outbox_.error_scratch());
            outbox_.put_error();
            pacer_.end_element();
        }
        pacer_.end_run();
        pacer_.pause();
    }
    /// That of a job; a new one if it isn't known.
    callable callable_of(const scheduler::remote_job& job) const {
        // The newest is looked for most.
        const auto at = std::find_if(callables_.rbegin(), callables_.rend(),
                                     [&](const callable& one) { return one.job == job.id; });
        return at != callables_.rend() ? *at : callable{.job = job.id};
    }

    const worker::identity who_;
    const std::unique_ptr<slot> memory_;
    worker::black_box& box_;
    wire::element_times& times_;
    wire::frame_reader frames_;
    worker::outbox outbox_;
    worker::run_pacer pacer_;
    wire::element_reader elements_{{}, 0};  // those of the oldest run that are left
    bool runs_ = false;
    std::vector<callable> callables_;  // of the jobs that are known
    std::vector<callable> retired_;
    std::vector<std::function<void()>> exit_functions_;
};
using inline_peer = basic_inline_peer<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
