// SPDX-License-Identifier: MIT
// A node's share of a pool: an ordinary pool of this machine that runs what rank 0 sends.
#ifndef PROCPOOL_DETAIL_MPI_HOSTED_POOL_HPP
#define PROCPOOL_DETAIL_MPI_HOSTED_POOL_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mpi/definition_chain.hpp"
#include "procpool/detail/mpi/forwarded_job.hpp"
#include "procpool/detail/mpi/hosted_jobs.hpp"
#include "procpool/detail/mpi/node_options.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/process/make_pool_impl.hpp"
#include "procpool/detail/process/pool_options.hpp"
#include "procpool/detail/process/process_pool.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/task_definition.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/zygote/preload.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// What comes from rank 0 goes to the workers by the thread that receives it. A thread of its own makes the
/// local pool, drives it, and sends the results: so a call wakes one thread on its way down, and one on its
/// way up.
template <class = only_if_used>
class basic_hosted_pool {
public:
    /// `open` is the payload of a frame of that kind. `send` is called by any thread.
    basic_hosted_pool(std::uint64_t number, std::span<const std::byte> open,
                      std::function<void(wire::buffer&&)> send)
        : send_(std::move(send)), up_(number) {
        request_.append(open.data(), open.size());
        const os::signals_blocked no_signals;
        thread_ = os::start_thread([this] { run(); }, "a node's pool");
        os::library_threads.fetch_add(1, std::memory_order_relaxed);
    }
    basic_hosted_pool(const basic_hosted_pool&) = delete;
    basic_hosted_pool& operator=(const basic_hosted_pool&) = delete;
    /// Ends the workers now, unless they have ended.
    ~basic_hosted_pool() {
        end(ending::now);
        thread_.join();
        os::library_threads.fetch_sub(1, std::memory_order_relaxed);
    }

    /// A frame of rank 0; its payload may lie in memory that the workers see.
    /// @return whether it brings one quick element
    bool handle(const frame_header& header, std::span<const std::byte> payload,
                scheduler::task_definition::shared lies_in = {}) {
        using kind = frame_header::kind;
        if (header.what == kind::close) {
            end(header.flag != 0 ? ending::when_done : ending::now);
            return false;
        }
        if (header.what == kind::define_part) {
            take_part(header, definition_part(payload));
            return false;
        }
        const auto partial = partial_.find(header.job);
        if (partial != partial_.end() && header.what != kind::give_back) {
            partial->second.wait(header, payload);
            return false;
        }
        const std::shared_ptr<scheduler::pool_backend> local = pool();
        if (!local) return false;  // it has failed, and that was told
        auto lock = local->acquire();
        if (header.what == kind::ask_account) {
            append_account(*local, lock, header.count);
            flush();
            return false;
        }
        if (local->failure()) return false;
        bool is_quick = false;
        try {
            is_quick = jobs_.handle(*local, header, payload, std::move(lies_in));
        } catch (const PoolNotRunning&) {
            return false;  // its end has begun
        } catch (...) {
            append_error(std::current_exception());
            flush();
        }
        local->leave(lock);
        return is_quick;
    }
    /// Rank 0 sends a definition itself of which no part has come for so long.
    void ask_for_missing_parts(steady_time now, std::chrono::nanoseconds limit) {
        if (now - last_part_ < limit) return;  // those of other jobs are before them
        for (auto& [job, some] : partial_)
            if (some.lacks_parts(now, limit)) up_.append({.what = frame_header::kind::missing, .job = job});
        if (!partial_.empty()) flush();
    }
    /// Whether parts of a definition are on their way.
    bool awaits_parts() const noexcept { return !partial_.empty(); }

    /// Ends the workers now; waits for nobody.
    void end_now() { end(ending::now); }
    bool has_ended() const noexcept { return has_ended_.load(std::memory_order_acquire); }

    /// Its workers don't end, and nobody waits for them any more: it sends nothing from now on, and stays in
    /// memory, since its thread waits on.
    static void abandon(std::unique_ptr<basic_hosted_pool> one) {
        const mutex_guard in_order(one->sending_);
        one->send_ = [](wire::buffer&& /*nobody listens*/) {};
        static_cast<void>(one.release());
    }

private:
    enum class ending { none, when_done, now };

    void take_part(const frame_header& header, const definition_part& part) {
        if (complete_.contains(header.job)) return;  // it came on two ways
        const auto now = std::chrono::steady_clock::now();
        if (!part.bytes.empty()) last_part_ = now;
        auto at = partial_.find(header.job);
        if (at == partial_.end()) {
            const std::shared_ptr<scheduler::pool_backend> local = pool();
            at = partial_.try_emplace(header.job, local ? local->arena() : nullptr).first;
        }
        if (!at->second.add(header, part.bytes, now)) return;
        const partial_definition whole = std::move(at->second);
        partial_.erase(at);
        complete_.insert(header.job);
        up_.append({.what = frame_header::kind::defined, .job = header.job});
        flush();
        handle({.what = frame_header::kind::define, .pool = header.pool, .job = header.job}, whole.bytes(),
               whole.lies_in());
        for (const auto& one : whole.waiting()) handle(one.header, one.payload.bytes());
    }

    // ---- the thread of its own

    void run() noexcept {
        try {
            make_pool();
            {
                const auto local = pool();
                auto lock = local->acquire();
                while (!is_ending()) drive(*local, lock);
                if (ending_.load(std::memory_order_acquire) == ending::when_done) {
                    local->close();
                    jobs_.seal_all(*local);
                    local->join(lock);
                } else {
                    local->terminate(lock);
                }
                append_account(*local, lock, 0);
            }
            set_pool(nullptr);
        } catch (...) {
            append_error(std::current_exception());
        }
        up_.append({.what = frame_header::kind::closed});
        has_ended_.store(true, std::memory_order_release);
        flush();
    }

    bool is_ending() const noexcept { return ending_.load(std::memory_order_acquire) != ending::none; }
    /// Until it is to end, or until elements wait here that would run sooner on another node. Those go back:
    /// each takes a frame, so not as soon as workers lack the processor for a moment.
    void drive(scheduler::pool_backend& local, job::runner::lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        constexpr std::chrono::milliseconds patience{20};
        const bool was_stuck = stuck_since_.has_value();
        const bool has_changed = local.wait(
            held,
            [&]() PROCPOOL_REQUIRES(pool_mutex) {  // who drives asks this after each step
                tell_failure(local);
                flush();
                return is_ending() || is_stuck(local) != was_stuck;
            },
            was_stuck ? *stuck_since_ + patience : steady_time::max());
        if (!has_changed) jobs_.give_back_unasked(local);
        stuck_since_.reset();
        if (has_changed && !was_stuck) stuck_since_ = std::chrono::steady_clock::now();
    }
    bool is_stuck(scheduler::pool_backend& local) const PROCPOOL_REQUIRES(pool_mutex) {
        return shares_ && static_cast<process::process_pool&>(local).is_stuck();
    }

    void make_pool() {
        wire::cursor from(request_.bytes());
        const auto options = from.value<node_options>();
        shares_ = options.is_one_of_many;
        const auto preload = from.take(options.preload_bytes);
        const auto definition = from.take(options.initializer_bytes);
        const auto arguments = from.take(from.left());
        process::process_pool_options all = process::checked(options.for_pool());
        first_index_ = options.first_index;
        all.workers.settings.first_index = first_index_;
        all.workers.settings.is_rank = true;
        all.workers.settings.serves_other_machine = true;
        if (!preload.empty()) all.workers.preload_file = zygote::file_of_preload(preload);
        if (options.has_initializer) {
            scheduler::task_definition initial;
            initial.bytes.append(definition.data(), definition.size());
            all.workers.initializer = std::make_shared<call::initializer_job>(std::move(initial));
            all.workers.initializer->timeout =
                job::checked_limit(options.initializer_timeout, "initializer_timeout");
            all.workers.initializer_arguments.count = 1;
            all.workers.initializer_arguments.stride = wire::variable_stride;
            all.workers.initializer_arguments.bytes.append(arguments.data(), arguments.size());
        }
        set_pool({new process::process_pool(std::move(all)), &process::end<>});
        up_.append({.what = frame_header::kind::opened, .count = pool()->size()});
    }

    void tell_failure(const scheduler::pool_backend& local) PROCPOOL_REQUIRES(pool_mutex) {
        if (local.failure() && !std::exchange(told_failure_, true)) append_error(local.failure());
    }
    void append_account(scheduler::pool_backend& local, job::runner::lock& held, std::uint64_t question)
        PROCPOOL_REQUIRES(pool_mutex) {
        wire::buffer workers;
        for (Statistics::Worker one : local.stats(held).workers) {
            *one.index += first_index_;
            workers.append_value(one);
        }
        up_.append({.what = frame_header::kind::account, .count = question}, workers.bytes());
    }
    void append_error(std::exception_ptr error) {
        wire::buffer record;
        wire::pins nothing;
        try {
            std::rethrow_exception(std::move(error));
        } catch (...) {
            wire::encode_current_exception({record, nothing});
        }
        up_.append({.what = frame_header::kind::failed}, record.bytes());
    }
    void flush() {
        const mutex_guard in_order(sending_);
        wire::buffer bytes = up_.take();
        if (!bytes.empty()) send_(std::move(bytes));
    }

    void end(ending how) {
        ending before = ending::none;
        const bool is_first = ending_.compare_exchange_strong(before, how, std::memory_order_acq_rel);
        const std::shared_ptr<scheduler::pool_backend> local = pool();
        if (is_first) {
            if (local) local->wake_waiters();
            return;
        }
        if (how != ending::now || before == ending::now) return;
        ending_.store(how, std::memory_order_release);
        if (!local) return;
        const auto lock = local->acquire();
        local->ask_workers_to_end();  // it waits for what runs, and ends them when that has failed
    }

    std::shared_ptr<scheduler::pool_backend> pool() {
        const mutex_guard lock(pool_pointer_);
        return pool_;
    }
    void set_pool(std::shared_ptr<scheduler::pool_backend> next) {
        const mutex_guard lock(pool_pointer_);
        pool_.swap(next);
    }

    mutex sending_;
    std::function<void(wire::buffer&&)> send_ PROCPOOL_GUARDED_BY(sending_);
    outgoing_frames up_;
    wire::buffer request_;
    std::atomic<ending> ending_ = ending::none;
    std::atomic<bool> has_ended_ = false;
    bool told_failure_ = false;
    std::uint32_t first_index_ = 0;
    std::optional<steady_time> stuck_since_;
    bool shares_ = false;  // rank 0 has other nodes for what waits here
    mutex pool_pointer_;
    std::shared_ptr<scheduler::pool_backend> pool_ PROCPOOL_GUARDED_BY(pool_pointer_);
    hosted_jobs jobs_ PROCPOOL_GUARDED_BY(pool_mutex){up_};
    // Of the thread that receives:
    std::unordered_map<std::uint64_t, partial_definition> partial_;  // of jobs
    steady_time last_part_ = {};                                     // when it came, of any job
    std::unordered_set<std::uint64_t> complete_;                     // jobs that came in parts
    std::thread thread_;
};
using hosted_pool = basic_hosted_pool<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
