// SPDX-License-Identifier: MIT
// BasicPool: the calls that all kinds of pools have; mirrors Python's multiprocessing.Pool.
#ifndef PROCPOOL_BASIC_POOL_HPP
#define PROCPOOL_BASIC_POOL_HPP

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/call_style.hpp"
#include "procpool/detail/call/cancel_on_stop.hpp"
#include "procpool/detail/call/misused_options.hpp"
#include "procpool/detail/call/pool_owner.hpp"
#include "procpool/detail/call/results.hpp"
#include "procpool/detail/call/submit_range.hpp"
#include "procpool/detail/call/submit_window.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/error.hpp"
#include "procpool/imap.hpp"
#include "procpool/options.hpp"
#include "procpool/pool_status.hpp"
#include "procpool/result.hpp"

namespace procpool::inline v0_1 {

template <class Kind>
class BasicPool;

namespace detail {
/// close(), also for calls at hand: no more elements of theirs come. If there is a `why`, those that have not
/// begun are cancelled with it.
template <class Kind>
void wind_up(BasicPool<Kind>& pool, const char* why) {
    auto& core = pool.core();
    auto lock = core.acquire();
    core.wind_up(why);
    core.leave(lock);
}
}  // namespace detail

/// What Pool and ThreadPool have in common; `Kind` says where tasks run.
///
/// All methods may be called from several threads, but only in the process that made the pool. The
/// destructor terminates the pool; close() and join() let it finish first.
template <class Kind>
class BasicPool : detail::call::misused_options {
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
    /// Number of workers.
    std::size_t size() const { return core().size(); }

    /// Where the pool is in its life.
    pool_state state() const {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        return pool.state();
    }
    /// With what the pool failed: pending calls got it, and new ones get it until the pool is closed; null
    /// unless the pool has failed.
    std::exception_ptr error() const {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        return pool.state() == pool_state::failed ? pool.failure() : nullptr;
    }

    /// What its workers have done so far: a Statistics, from <procpool/statistics.hpp>. @throws Error from a
    /// ThreadPool without PoolOptions::statistics, and from a pool of several machines
    auto stats() const {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        return pool.stats();
    }

    /// An observer is told of what begins from now on; see Observer. May be called at any time.
    /// @throws std::invalid_argument for null
    void add_observer(std::shared_ptr<Observer> one) {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        detail::job::add_observer(pool, std::move(one));
    }

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
        using task = typename Kind::template call_task<style::returns, F, Args...>;
        if constexpr (task::check()) {
            if constexpr (Kind::template joins_calls<task, F, Args...>) {
                auto [job, call] = Kind::template join_calls<task>(core(), function, args...);
                if (job) return AsyncResult<typename task::result>(pool_.shared(), std::move(job), call);
            }
            return start_one<style::returns>(TaskOptions{}, std::forward<F>(function),
                                             std::forward<Args>(args)...);
        } else {
            return detail::refused{};
        }
    }
    /// The same with options of the call.
    template <class F, class... Args>
    auto apply_async(const TaskOptions& options, F&& function, Args&&... args) {
        return start_one<style::returns>(options, std::forward<F>(function), std::forward<Args>(args)...);
    }

    // ---- many calls

    // The compile error for a call whose options don't fit.
    using misused_options::map, misused_options::starmap, misused_options::try_map,
        misused_options::try_starmap, misused_options::map_async, misused_options::starmap_async,
        misused_options::imap, misused_options::imap_unordered, misused_options::istarmap,
        misused_options::istarmap_unordered;

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

    /// Calls `function(element)` for each element and returns the results one by one, in input order, as they
    /// are asked for; see ImapResults. A range that is no temporary must outlive them.
    template <class F, std::ranges::input_range Range>
    auto imap(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<map_task<style::streams, F, Range>>(std::forward<F>(function),
                                                          std::forward<Range>(input), options, true);
    }
    /// imap() in the order in which elements are finished.
    template <class F, std::ranges::input_range Range>
    auto imap_unordered(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<map_task<style::streams, F, Range>>(std::forward<F>(function),
                                                          std::forward<Range>(input), options, false);
    }
    /// imap() with the elements' own members as arguments: each element is a tuple or a pair.
    template <class F, std::ranges::input_range Range>
    auto istarmap(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<starmap_task<style::streams, F, Range>>(std::forward<F>(function),
                                                              std::forward<Range>(input), options, true);
    }
    /// istarmap() in the order in which elements are finished.
    template <class F, std::ranges::input_range Range>
    auto istarmap_unordered(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<starmap_task<style::streams, F, Range>>(std::forward<F>(function),
                                                              std::forward<Range>(input), options, false);
    }

    // ---- the end

    /// Takes no more calls; those at hand go on. Harmless if called again.
    void close() {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        pool.close();
    }
    /// Ends the workers now; every pending result ends with PoolTerminated. Harmless if called again.
    void terminate() {
        pool_type& pool = core();
        auto lock = pool.acquire();
        pool.terminate(lock);
    }
    /// Waits until all calls are done and the workers have ended. What this thread takes the results of, an
    /// imap(), is run to the end of its input, and its results can be taken afterwards.
    /// @throws PoolStillRunning if neither close() nor terminate() was called before
    void join() {
        pool_type& pool = core();
        auto lock = pool.acquire();
        pool.join(lock);
    }

protected:
    using pool_type = typename Kind::pool;

    BasicPool() = default;
    BasicPool(BasicPool&&) noexcept = default;
    BasicPool& operator=(BasicPool&&) noexcept = default;
    ~BasicPool() = default;

    void swap(BasicPool& other) noexcept { pool_.swap(other.pool_); }

    void start(std::shared_ptr<pool_type> pool) { pool_.start(std::move(pool)); }

    pool_type& core() const { return pool_.get(); }

private:
    friend void detail::wind_up<Kind>(BasicPool&, const char*);

    template <style Style, class F, class... Args>
    auto start_one(const TaskOptions& options, F&& function, Args&&... args) {
        using task = typename Kind::template call_task<Style, F, Args...>;
        if constexpr (task::check()) {
            using results = detail::call::one_result<typename task::result>;
            auto& pool = core();
            const auto job = Kind::template make_job<task, results>(pool, std::forward<F>(function));
            job->announced = 1;
            apply_options(*job, options);
            Kind::template submit_one<task>(pool, job, std::forward<Args>(args)...);
            return handle_of<typename task::result>(job, options);
        } else {
            return detail::refused{};
        }
    }
    template <class R, class Job>
    AsyncResult<R> handle_of(const std::shared_ptr<Job>& job, const TaskOptions& options) {
        detail::call::cancel_on_stop(pool_.shared(), job, options.stop);
        return AsyncResult<R>(pool_.shared(), job);
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
                Kind::template make_job<Task, results>(core(), std::forward<F>(function)), input, options);
        } else {
            return detail::refused{};
        }
    }

    template <class Task, class F, class Range>
    auto run_async(F&& function, Range& input, const MapOptions& options) {
        if constexpr (Task::check()) {
            using results = values<typename Task::result>;
            return begin_job<typename results::result>(
                Kind::template make_job<Task, results>(core(), std::forward<F>(function)), input, options);
        } else {
            return detail::refused{};
        }
    }

    // What follows is compiled once for each type of jobs and of input, not for each task function.

    template <class R, class Job, class Range>
    R run_job(const std::shared_ptr<Job>& job, Range& input, const MapOptions& options) {
        auto& pool = *pool_.shared();
        const auto pace = [&](auto& lock) PROCPOOL_REQUIRES(detail::pool_mutex) {
            const auto hungry = [&]() PROCPOOL_REQUIRES(detail::pool_mutex) {
                return job->done() || pool.wants_more(*job);
            };
            pool.wait_or_poll(lock, hungry, detail::steady_time::max(), job.get());
            return !job->done();
        };
        detail::call::submit_range(pool_.shared(), job, input, options, pace);
        return result_of(AsyncResult<R>(pool_.shared(), job));
    }

    template <class R, class Job, class Range>
    AsyncResult<R> begin_job(const std::shared_ptr<Job>& job, Range& input, const MapOptions& options) {
        detail::call::submit_range(pool_.shared(), job, input, options,
                                   [&](auto&) { return !job->failure(); });
        auto& pool = *pool_.shared();
        auto lock = pool.acquire();
        pool.leave(lock);
        return AsyncResult<R>(pool_.shared(), job);
    }

    template <class Task, class F, class Range>
    auto stream(F&& function, Range&& input, const MapOptions& options, bool ordered) {
        using namespace detail;
        if constexpr (Task::check()) {
            using result = typename Task::result;
            auto& pool = core();
            const std::uint64_t chunk = job::checked_size(options.chunksize, "chunksize").value_or(1);
            const auto buffersize = job::checked_size(options.buffersize, "buffersize");
            const std::uint64_t window = buffersize.value_or(2 * chunk * pool.size());
            const auto job = Kind::template make_job<Task, call::stream_of_results<result>>(
                pool, std::forward<F>(function), ordered);
            apply_options(*job, options);
            job->chunk = std::min(chunk, window);
            if constexpr (std::ranges::sized_range<Range>)
                job->announced = static_cast<std::uint64_t>(std::ranges::size(input));
            {
                const auto lock = pool.acquire();
                pool.add(job);
            }
            call::cancel_on_stop(pool_.shared(), job, options.stop);
            try {
                using stream_type =
                    call::submit_window<result, pool_type, std::remove_cvref_t<decltype(*job)>, Range>;
                return ImapResults<result>(std::make_unique<stream_type>(
                    pool_.shared(), job, std::forward<Range>(input), window, !buffersize));
            } catch (...) {  // the input did not even begin
                call::abandon_broken_input(pool, job);
                throw;
            }
        } else {
            return detail::refused{};
        }
    }

    detail::call::pool_owner<pool_type> pool_;
};

}  // namespace procpool::inline v0_1

#endif
