// SPDX-License-Identifier: MIT
// ProcessPoolExecutor: calls as futures; mirrors Python's concurrent.futures.
#ifndef PROCPOOL_EXECUTOR_HPP
#define PROCPOOL_EXECUTOR_HPP

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/as_completed.hpp"
#include "procpool/basic_pool.hpp"
#include "procpool/detail/call/stream.hpp"
#include "procpool/detail/call/zipped.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/refused.hpp"
#include "procpool/error.hpp"
#include "procpool/future.hpp"
#include "procpool/imap.hpp"
#include "procpool/options.hpp"
#include "procpool/pool.hpp"
#include "procpool/start_method.hpp"
#include "procpool/thread_pool.hpp"

namespace procpool::inline v0_1 {

/// `ProcessPoolExecutor executor({.max_workers = 3});` For all else that a pool can be told there is
/// PoolOptions, which an executor takes as well.
struct ExecutorOptions {
    /// Number of workers; cpu_count() by default. With 0 calls run in the calling thread (processes only),
    /// see PoolOptions::processes.
    std::optional<int> max_workers = {};
    /// Calls that a worker runs before it is replaced by a fresh one, 1 or more; no limit by default.
    std::optional<std::ptrdiff_t> max_tasks_per_child = {};
    /// How workers are born (processes only).
    procpool::start_method start_method = procpool::start_method::automatic;
};

/// `executor.map({.timeout = 10s, .chunksize = 20}, f, range);`
struct ExecutorMapOptions {
    /// Time for all results, from the call on; then the loop over them ends with TimeoutError.
    std::optional<std::chrono::nanoseconds> timeout = {};
    /// Elements that go to a worker together, 1 or more; 1 by default.
    std::optional<std::ptrdiff_t> chunksize = {};
    /// Elements that are pulled from the ranges and not yet yielded, at the most; by default as imap's, see
    /// MapOptions.
    std::optional<std::ptrdiff_t> buffersize = {};
    /// What observers know it by.
    std::string name = {};
    /// Are told of this call, besides those of the executor; see Observer.
    std::vector<std::shared_ptr<Observer>> observers = {};
    /// Shows how far the call is; see progress().
    std::shared_ptr<Observer> progress = {};
};

/// Runs calls in the workers of a pool and returns a Future for each.
///
/// As with Python's executors, calls that were taken on are run to their end: the destructor waits for them
/// (in a callback, where nothing can wait for the pool, it ends them with PoolTerminated). Unlike there, the
/// death of a worker costs one future, and all others go on; all workers start at once. All methods may be
/// called from several threads, but only in the process that made the executor. `Options` are those of the
/// pool.
template <class PoolType, class Options = PoolOptions>
class BasicExecutor {
    /// Whether the pool has what ExecutorOptions speak of.
    static constexpr bool has_usual_options = std::same_as<Options, PoolOptions>;

public:
    /// Starts cpu_count() workers.
    BasicExecutor() : BasicExecutor(Options{}) {}

    /// @throws std::invalid_argument if it is negative; BootstrapError, std::system_error
    explicit BasicExecutor(int max_workers) : pool_(max_workers) {}
    /// With options, by the names that Python has for them.
    explicit BasicExecutor(const ExecutorOptions& options)
        requires has_usual_options
        : pool_(pool_options(options)) {}
    /// With all options that a pool has.
    explicit BasicExecutor(Options options) : pool_(std::move(options)) {}

    /// Each worker calls `initializer(initargs...)` before its first call. If it throws, all futures end with
    /// that error.
    template <class Initializer, class... Args>
    BasicExecutor(int max_workers, Initializer&& initializer, Args&&... initargs)
        : pool_(max_workers, std::forward<Initializer>(initializer), std::forward<Args>(initargs)...) {}
    /// The same with options.
    template <class Initializer, class... Args>
        requires has_usual_options
    BasicExecutor(const ExecutorOptions& options, Initializer&& initializer, Args&&... initargs)
        : pool_(pool_options(options), std::forward<Initializer>(initializer),
                std::forward<Args>(initargs)...) {}
    /// The same with all options that a pool has.
    template <class Initializer, class... Args>
    BasicExecutor(Options options, Initializer&& initializer, Args&&... initargs)
        : pool_(std::move(options), std::forward<Initializer>(initializer), std::forward<Args>(initargs)...) {
    }

    BasicExecutor(BasicExecutor&&) noexcept = default;
    BasicExecutor& operator=(BasicExecutor&& other) noexcept {
        BasicExecutor(std::move(other)).pool_.swap(pool_);
        return *this;
    }
    /// shutdown().
    ~BasicExecutor() {
        const detail::job::poll_hook::without to_the_end;
        try {
            shutdown();
        } catch (...) {
            // Moved from, another process's copy, or in a callback: the pool knows what to do.
        }
    }

    /// Starts `function(args...)` in a worker and returns at once.
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, TaskOptions>)
    auto submit(F&& function, Args&&... args) {
        return in_future(pool_.apply_async(std::forward<F>(function), std::forward<Args>(args)...));
    }
    /// The same with options of the call.
    template <class F, class... Args>
    auto submit(const TaskOptions& options, F&& function, Args&&... args) {
        return in_future(pool_.apply_async(options, std::forward<F>(function), std::forward<Args>(args)...));
    }

    /// submit() that makes the call only if PoolOptions::max_pending and max_pending_bytes leave room for it
    /// now; nothing if they don't. It never waits.
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, TaskOptions>)
    auto try_submit(F&& function, Args&&... args) {
        return try_submit(TaskOptions{}, std::forward<F>(function), std::forward<Args>(args)...);
    }
    /// The same with options of the call.
    template <class F, class... Args>
    auto try_submit(const TaskOptions& options, F&& function, Args&&... args) {
        return in_future(
            pool_.try_apply_async(options, std::forward<F>(function), std::forward<Args>(args)...));
    }

    /// Calls `function` with the elements of one range, or of several side by side up to the end of the
    /// shortest, and returns the results one by one in input order; see ImapResults.
    ///
    /// The ranges are pulled as results are taken, never more than `buffersize` ahead; those that are no
    /// temporaries must outlive the results. An element's error is thrown at its place, and the loop may go
    /// on. When the results are given up, elements that have not begun don't run.
    template <class F, std::ranges::input_range... Ranges>
        requires(sizeof...(Ranges) > 0)
    auto map(F&& function, Ranges&&... ranges) {
        return map(ExecutorMapOptions{}, std::forward<F>(function), std::forward<Ranges>(ranges)...);
    }
    /// The same with options of the call.
    template <class F, std::ranges::input_range... Ranges>
        requires(sizeof...(Ranges) > 0)
    auto map(const ExecutorMapOptions& options, F&& function, Ranges&&... ranges) {
        const auto deadline =
            options.timeout ? detail::deadline_in(*options.timeout) : detail::steady_time::max();
        const MapOptions how{.chunksize = options.chunksize,
                             .buffersize = options.buffersize,
                             .name = options.name,
                             .observers = options.observers,
                             .progress = options.progress};
        if constexpr (sizeof...(Ranges) == 1)
            return until(deadline,
                         pool_.imap(std::forward<F>(function), std::forward<Ranges>(ranges)..., how));
        else
            return until(
                deadline,
                pool_.istarmap(std::forward<F>(function),
                               detail::call::zipped<Ranges...>(std::forward<Ranges>(ranges)...), how));
    }

    /// Takes no more calls, and waits until those at hand are done, if asked to; if `cancel_futures`, those
    /// that have not begun are cancelled. Harmless if called again. What map() has not yet pulled it won't:
    /// its results then end with PoolNotRunning.
    /// @throws Error in a callback, which can't wait for its own end
    void shutdown(bool wait = true, bool cancel_futures = false) {
        detail::wind_up(pool_,
                        cancel_futures ? "procpool: cancelled, since its executor was shut down" : nullptr);
        if (wait) pool_.join();
    }

    /// Ends all workers, processes only: by SIGTERM first, so that they can clean up, and by SIGKILL if they
    /// still live after PoolOptions::terminate_grace. Futures of calls that have not begun are cancelled,
    /// those of calls that run end with PoolTerminated. Returns when the workers have ended; takes no more
    /// calls.
    void terminate_workers()
        requires requires(PoolType& pool) { pool.workers(); }
    {
        detail::wind_up(pool_, cancelled_with_workers);
        detail::terminate_workers(pool_);
    }
    /// The same at once, by SIGKILL.
    void kill_workers()
        requires requires(PoolType& pool) { pool.workers(); }
    {
        detail::wind_up(pool_, cancelled_with_workers);
        pool_.terminate();
    }

private:
    static constexpr const char* cancelled_with_workers =
        "procpool: cancelled, since the executor's workers were ended";

    static PoolOptions pool_options(const ExecutorOptions& options) {
        return {.processes = options.max_workers,
                .maxtasksperchild = options.max_tasks_per_child,
                .start_method = options.start_method};
    }

    template <class T>
    static Future<T> in_future(AsyncResult<T> call) {
        return detail::future_of(std::move(call));
    }
    template <class T>
    static std::optional<Future<T>> in_future(std::optional<AsyncResult<T>> call) {
        if (!call) return std::nullopt;
        return detail::future_of(std::move(*call));
    }
    template <class R>
    static ImapResults<R> until(detail::steady_time deadline, ImapResults<R> results) {
        detail::call::stream<R>& stream = detail::stream_of(results);
        stream.deadline = deadline;
        stream.when_left = detail::job::runner::running::goes_on;
        return results;
    }
    // The refusal of a call stays the only error.
    static detail::refused in_future(detail::refused refused) { return refused; }
    static detail::refused until(detail::steady_time, detail::refused refused) { return refused; }

    PoolType pool_;
};

/// Calls in worker processes, as futures.
using ProcessPoolExecutor = BasicExecutor<Pool>;
/// Calls on threads, as futures: see ThreadPool for what they may be, and what threads can't do.
using ThreadPoolExecutor = BasicExecutor<ThreadPool>;

}  // namespace procpool::inline v0_1

#endif
