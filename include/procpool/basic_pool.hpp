// SPDX-License-Identifier: MIT
// BasicPool: the calls that all kinds of pools have; mirrors Python's multiprocessing.Pool.
#ifndef PROCPOOL_BASIC_POOL_HPP
#define PROCPOOL_BASIC_POOL_HPP

#include <concepts>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/call/call_style.hpp"
#include "procpool/detail/call/cancel_on_stop.hpp"
#include "procpool/detail/call/misused_options.hpp"
#include "procpool/detail/call/results.hpp"
#include "procpool/detail/call/submit_range.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/error.hpp"
#include "procpool/imap_calls.hpp"
#include "procpool/options.hpp"
#include "procpool/pool_control.hpp"
#include "procpool/result.hpp"

namespace procpool::inline v0_1 {

/// What Pool and ThreadPool have in common; `Kind` says where tasks run.
///
/// All methods may be called from several threads, but only in the process that made the pool. The
/// destructor terminates the pool; close() and join() let it finish first.
template <class Kind>
class BasicPool : public ImapCalls<Kind>, detail::call::misused_options {
    using misused_options = detail::call::misused_options;
    using style = detail::call::call_style;
    template <class R>
    using values = detail::call::all_results<R>;
    template <class R>
    using outcomes = detail::call::all_outcomes<R>;
    template <style Style, class F, class Range>
    using map_task = typename Kind::template map_task<Style, F, Range>;
    template <style Style, class F, class Range>
    using starmap_task = typename Kind::template starmap_task<Style, F, Range>;

public:
    // ---- one call

    /// Calls `function(args...)` in a worker and returns the result. @throws what the task threw
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, TaskOptions>)
    auto apply(F&& function, Args&&... args) {
        return result_of(
            start_one<style::waits>(TaskOptions{}, std::forward<F>(function), std::forward<Args>(args)...));
    }
    /// The same with options of the call.
    template <class F, class... Args>
    auto apply(const TaskOptions& options, F&& function, Args&&... args) {
        return result_of(
            start_one<style::waits>(options, std::forward<F>(function), std::forward<Args>(args)...));
    }

    /// Starts `function(args...)` in a worker and returns at once.
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, TaskOptions>)
    auto apply_async(F&& function, Args&&... args) {
        return start_one_of_many(nullptr, std::forward<F>(function), std::forward<Args>(args)...);
    }
    /// The same with options of the call.
    template <class F, class... Args>
    auto apply_async(const TaskOptions& options, F&& function, Args&&... args) {
        return start_one_of_many(&options, std::forward<F>(function), std::forward<Args>(args)...);
    }

    /// apply_async() that makes the call only if PoolOptions::max_pending and max_pending_bytes leave room
    /// for it now; nothing if they don't. It never waits.
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, TaskOptions>)
    auto try_apply_async(F&& function, Args&&... args) {
        return try_start_one(TaskOptions{}, std::forward<F>(function), std::forward<Args>(args)...);
    }
    /// The same with options of the call.
    template <class F, class... Args>
    auto try_apply_async(const TaskOptions& options, F&& function, Args&&... args) {
        return try_start_one(options, std::forward<F>(function), std::forward<Args>(args)...);
    }

    // ---- each worker

    /// Calls `function(args...)` once in each worker, and returns the results in the order of the workers'
    /// indices (nothing if the function returns void).
    ///
    /// Each worker runs it after what it was given before. What dies is the one call; the worker that takes
    /// its place calls it if it hadn't begun, or if the options say `retries`. Waits for all workers, then
    /// throws the first error that came, if any.
    /// @throws what a call threw, WorkerDied, PoolTerminated, std::invalid_argument
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, TaskOptions>)
    auto everywhere(F&& function, Args&&... args) {
        return in_each<values>(TaskOptions{}, std::forward<F>(function), std::forward<Args>(args)...);
    }
    /// The same with options of the calls.
    template <class F, class... Args>
    auto everywhere(const TaskOptions& options, F&& function, Args&&... args) {
        return in_each<values>(options, std::forward<F>(function), std::forward<Args>(args)...);
    }
    /// everywhere() that returns for each worker its value or its error.
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, TaskOptions>)
    [[nodiscard("outcomes may hold errors, which nothing throws")]] auto try_everywhere(F&& function,
                                                                                        Args&&... args) {
        return in_each<outcomes>(TaskOptions{}, std::forward<F>(function), std::forward<Args>(args)...);
    }
    /// The same with options of the calls.
    template <class F, class... Args>
    [[nodiscard("outcomes may hold errors, which nothing throws")]] auto try_everywhere(
        const TaskOptions& options, F&& function, Args&&... args) {
        return in_each<outcomes>(options, std::forward<F>(function), std::forward<Args>(args)...);
    }

    // ---- many calls

    // The compile error for a call whose options don't fit.
    using misused_options::map, misused_options::starmap, misused_options::try_map,
        misused_options::try_starmap, misused_options::map_async, misused_options::starmap_async;

    /// Calls `function(element)` for each element of `input` and returns the results in input order (nothing
    /// if the function returns void).
    ///
    /// Waits for all elements, then throws the first error that came, if any. The input may be any input
    /// range; a Pool reads it as far as its workers need it, a ThreadPool at once unless its size is known.
    /// @throws what a task threw, WorkerDied, PoolTerminated; what the input throws; std::invalid_argument
    template <class F, std::ranges::input_range Range>
    auto map(F&& function, Range&& input, const MapOptions& options = {}) {
        return run<map_task<style::waits, F, Range>, values>(std::forward<F>(function), input, options);
    }
    /// map() with the elements' own members as arguments: each element is a tuple or a pair.
    template <class F, std::ranges::input_range Range>
    auto starmap(F&& function, Range&& input, const MapOptions& options = {}) {
        return run<starmap_task<style::waits, F, Range>, values>(std::forward<F>(function), input, options);
    }

    /// map() that returns for each element its value or its error: one bad element costs only itself.
    template <class F, std::ranges::input_range Range>
    [[nodiscard("outcomes may hold errors, which nothing throws")]] auto try_map(
        F&& function, Range&& input, const MapOptions& options = {}) {
        return run<map_task<style::waits, F, Range>, outcomes>(std::forward<F>(function), input, options);
    }
    /// starmap() that returns for each element its value or its error.
    template <class F, std::ranges::input_range Range>
    [[nodiscard("outcomes may hold errors, which nothing throws")]] auto try_starmap(
        F&& function, Range&& input, const MapOptions& options = {}) {
        return run<starmap_task<style::waits, F, Range>, outcomes>(std::forward<F>(function), input, options);
    }

    /// Starts map() and returns at once; the input is read before it returns.
    template <class F, std::ranges::input_range Range>
    auto map_async(F&& function, Range&& input, const MapOptions& options = {}) {
        return run_async<map_task<style::returns, F, Range>>(std::forward<F>(function), input, options);
    }
    /// Starts starmap() and returns at once; the input is read before it returns.
    template <class F, std::ranges::input_range Range>
    auto starmap_async(F&& function, Range&& input, const MapOptions& options = {}) {
        return run_async<starmap_task<style::returns, F, Range>>(std::forward<F>(function), input, options);
    }

protected:
    using typename PoolControl<Kind>::pool_type;

    BasicPool() = default;
    BasicPool(BasicPool&&) noexcept = default;
    BasicPool& operator=(BasicPool&&) noexcept = default;
    ~BasicPool() = default;

private:
    /// Together with others like it, if there are some.
    template <class F, class... Args>
    auto start_one_of_many(const TaskOptions* options, F&& function, Args&&... args) {
        using task = typename Kind::template call_task<style::returns, F, Args...>;
        if constexpr (task::check()) {
            if constexpr (Kind::template joins_calls<task, F, Args...>) {
                auto [job, call] = Kind::template join_calls<task>(this->core(), options, function, args...);
                if (job) return AsyncResult<typename task::result>(this->shared(), std::move(job), call);
            }
            return start_one<style::returns>(options ? *options : TaskOptions{}, std::forward<F>(function),
                                             std::forward<Args>(args)...);
        } else {
            return detail::refused{};
        }
    }
    template <style Style, class F, class... Args>
    auto start_one(const TaskOptions& options, F&& function, Args&&... args) {
        using task = typename Kind::template call_task<Style, F, Args...>;
        if constexpr (task::check()) {
            using results = detail::call::one_result<typename task::result>;
            auto& pool = this->core();
            const auto job = Kind::template make_job<task, results>(pool, options, std::forward<F>(function));
            job->announced = 1;
            apply_options(*job, options);
            Kind::template submit_one<task>(pool, job, {.stop = options.stop}, std::forward<Args>(args)...);
            return handle_of<typename task::result>(job, options);
        } else {
            return detail::refused{};
        }
    }
    template <class F, class... Args>
    auto try_start_one(const TaskOptions& options, F&& function, Args&&... args) {
        using task = typename Kind::template call_task<style::returns, F, Args...>;
        if constexpr (task::check()) {
            using results = detail::call::one_result<typename task::result>;
            std::optional<AsyncResult<typename task::result>> made;
            auto& pool = this->core();
            const auto job = Kind::template make_job<task, results>(pool, options, std::forward<F>(function));
            job->announced = 1;
            apply_options(*job, options);
            if (Kind::template submit_one<task>(pool, job, {.waits = false}, std::forward<Args>(args)...))
                made.emplace(handle_of<typename task::result>(job, options));
            return made;
        } else {
            return detail::refused{};
        }
    }
    template <class R, class Job>
    AsyncResult<R> handle_of(const std::shared_ptr<Job>& job, const TaskOptions& options) {
        detail::call::cancel_on_stop(this->shared(), job, options.stop);
        return AsyncResult<R>(this->shared(), job);
    }

    template <template <class> class Results, class F, class... Args>
    auto in_each(const TaskOptions& options, F&& function, Args&&... args) {
        using task = typename Kind::template call_task<style::returns, F, Args...>;
        if constexpr (task::check()) {
            using results = Results<typename task::result>;
            auto& pool = this->core();
            if (options.journal)
                detail::job::refuse("everywhere has no journal: each worker is to call the function itself");
            const auto job = Kind::template make_job<task, results>(pool, options, std::forward<F>(function));
            apply_options(*job, options);
            job->expect(pool.size());
            Kind::template submit_to_each<task>(pool, job, std::forward<Args>(args)...);
            return result_of(handle_of<typename results::result>(job, options));
        } else {
            return detail::refused{};
        }
    }

    /// The result of a call that nobody has a handle of: who is interrupted gives it up.
    template <class R>
    static R result_of(AsyncResult<R> call) {
        try {
            call.wait();
        } catch (...) {
            call.call_.drop();
            throw;
        }
        return call.take();
    }
    // The refusal of a call stays the only error.
    static detail::refused result_of(detail::refused refused) { return refused; }

    template <class Task, template <class> class Results, class F, class Range>
    auto run(F&& function, Range& input, const MapOptions& options) {
        if constexpr (Task::check()) {
            using results = Results<typename Task::result>;
            return run_job<typename results::result>(
                Kind::template make_job<Task, results>(this->core(), options, std::forward<F>(function)),
                input, options);
        } else {
            return detail::refused{};
        }
    }

    template <class Task, class F, class Range>
    auto run_async(F&& function, Range& input, const MapOptions& options) {
        if constexpr (Task::check()) {
            using results = values<typename Task::result>;
            return begin_job<typename results::result>(
                Kind::template make_job<Task, results>(this->core(), options, std::forward<F>(function)),
                input, options);
        } else {
            return detail::refused{};
        }
    }

    // What follows is compiled once for each type of jobs and of input, not for each task function.

    template <class R, class Job, class Range>
    R run_job(const std::shared_ptr<Job>& job, Range& input, const MapOptions& options) {
        auto& pool = *this->shared();
        const auto pace = [&](auto& lock) PROCPOOL_REQUIRES(detail::pool_mutex) {
            const auto hungry = [&]() PROCPOOL_REQUIRES(detail::pool_mutex) {
                return job->done() || pool.wants_more(*job);
            };
            pool.wait_or_poll(lock, hungry, detail::steady_time::max(), job.get());
            return !job->done();
        };
        detail::call::submit_range(this->shared(), job, input, options, pace);
        return result_of(AsyncResult<R>(this->shared(), job));
    }

    template <class R, class Job, class Range>
    AsyncResult<R> begin_job(const std::shared_ptr<Job>& job, Range& input, const MapOptions& options) {
        detail::call::submit_range(this->shared(), job, input, options,
                                   [&](auto&) { return !job->failure(); });
        auto& pool = *this->shared();
        auto lock = pool.acquire();
        pool.leave(lock);
        return AsyncResult<R>(this->shared(), job);
    }
};

}  // namespace procpool::inline v0_1

#endif
