// SPDX-License-Identifier: MIT
// Pool: runs functions on many inputs in worker processes; mirrors Python's multiprocessing.Pool.
#ifndef PROCPOOL_POOL_HPP
#define PROCPOOL_POOL_HPP

#include <concepts>
#include <cstdint>
#include <memory>
#include <ranges>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/cpu_count.hpp"
#include "procpool/detail/backend/checked_options.hpp"
#include "procpool/detail/backend/encode.hpp"
#include "procpool/detail/backend/feed.hpp"
#include "procpool/detail/backend/process_pool.hpp"
#include "procpool/detail/backend/typed_job.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/error.hpp"
#include "procpool/imap.hpp"
#include "procpool/options.hpp"
#include "procpool/outcome.hpp"
#include "procpool/partial.hpp"
#include "procpool/result.hpp"
#include "procpool/worker.hpp"

namespace procpool {

/// A pool of worker processes.
///
/// Tasks are function pointers, lambdas that capture by value, functors, member functions and partial();
/// arguments and results are anything that cereal can serialise. What can't be sent is a compile error.
/// When a worker dies, the element that it was running fails with WorkerDied, all others go on, and the
/// worker is replaced. All methods may be called from several threads, but only in the process that made
/// the pool. The destructor terminates the pool; close() and join() let it finish first.
class Pool {
    template <class Range>
    using wire_of = detail::wire::wire_type_t<std::ranges::range_reference_t<Range>>;
    template <class F, class... Args>
    using call_task = detail::backend::remote_task<std::decay_t<F>, detail::wire::wire_type_t<Args>...>;
    template <class F, class Range>
    using map_task = detail::backend::remote_task<std::decay_t<F>, wire_of<Range>>;
    template <class F, class Range>
    using starmap_task = detail::backend::unpacking_task<std::decay_t<F>, wire_of<Range>>;
    template <class R>
    using values = detail::job::all_results<R>;
    template <class R>
    using outcomes = detail::job::all_outcomes<R>;

public:
    /// Starts cpu_count() workers. @throws BootstrapError, std::system_error
    template <class = detail::only_if_used>
    Pool() : Pool(PoolOptions{}) {}

    /// Starts `processes` workers. @throws std::invalid_argument if it is less than 1
    template <class = detail::only_if_used>
    explicit Pool(int processes) : Pool(PoolOptions{.processes = processes}) {}

    /// Each worker calls `initializer(initargs...)` before its first task; replacements do too. If it
    /// throws, every call of the pool ends with that error.
    template <class Initializer, class... Args>
    Pool(int processes, Initializer&& initializer, Args&&... initargs)
        : Pool(PoolOptions{.processes = processes}, std::forward<Initializer>(initializer),
               std::forward<Args>(initargs)...) {}

    template <class = detail::only_if_used>
    explicit Pool(PoolOptions options) {
        start(detail::backend::checked(std::move(options)));
    }

    template <class Initializer, class... Args>
    Pool(PoolOptions options, Initializer&& initializer, Args&&... initargs) {
        using namespace detail;
        using task = call_task<Initializer, Args...>;
        if constexpr (task::check()) {
            const auto limit = backend::checked_limit(options.initializer_timeout, "initializer_timeout");
            backend::process_pool_options all = backend::checked(std::move(options));
            auto job = std::make_shared<backend::initializer_job>(task::define(initializer));
            backend::append_element(all.crew.initializer_arguments,
                                    std::forward_as_tuple(std::as_const(initargs)...));
            // Workers expect each element of an initializer with its size in front.
            if (all.crew.initializer_arguments.stride != wire::variable_stride) {
                const std::uint64_t size = all.crew.initializer_arguments.bytes.size();
                wire::buffer sized;
                sized.append_value(size);
                sized.append(all.crew.initializer_arguments.bytes.data(),
                             all.crew.initializer_arguments.bytes.size());
                all.crew.initializer_arguments.bytes = std::move(sized);
            }
            job->timeout = limit;
            all.crew.initializer = std::move(job);
            start(std::move(all));
        }
    }

    Pool(Pool&&) noexcept = default;
    Pool& operator=(Pool&& other) noexcept {
        Pool(std::move(other)).swap(*this);
        return *this;
    }

    /// Terminates the pool: pending results end with PoolTerminated.
    ~Pool() {
        if (!pool_) return;
        if (is_copy_in_child()) {
            // The workers belong to the parent; their threads and locks don't exist here.
            static auto* const copies = new std::vector<std::shared_ptr<detail::backend::pool_backend>>;
            copies->push_back(std::move(pool_));
            return;
        }
        auto lock = pool_->acquire();
        pool_->terminate(lock);
    }

    void swap(Pool& other) noexcept {
        pool_.swap(other.pool_);
        std::swap(generation_, other.generation_);
    }

    /// Number of workers.
    std::size_t size() const { return core().size(); }

    // ---- one call

    /// Calls `function(args...)` in a worker and returns the result. @throws what the task threw
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, TaskOptions>)
    auto apply(F&& function, Args&&... args) {
        return apply_async(std::forward<F>(function), std::forward<Args>(args)...).get();
    }
    template <class F, class... Args>
    auto apply(const TaskOptions& options, F&& function, Args&&... args) {
        return apply_async(options, std::forward<F>(function), std::forward<Args>(args)...).get();
    }

    /// Starts `function(args...)` in a worker and returns at once.
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, TaskOptions>)
    auto apply_async(F&& function, Args&&... args) {
        return apply_async(TaskOptions{}, std::forward<F>(function), std::forward<Args>(args)...);
    }
    template <class F, class... Args>
    auto apply_async(const TaskOptions& options, F&& function, Args&&... args) {
        using namespace detail;
        using task = call_task<F, Args...>;
        if constexpr (task::check()) {
            using result = typename task::result;
            using job_type = backend::typed_job<result, job::one_result<result>>;
            auto& pool = core();
            auto job = std::make_shared<job_type>(task::define(function, pool.arena()), true);
            backend::apply_options(*job, options);
            backend::block arguments{.bytes = {}, .pins = {}, .large = {pool.arena()}};
            std::exception_ptr failed;
            try {
                backend::append_element(arguments, std::forward_as_tuple(std::as_const(args)...));
            } catch (const SerializationError&) {
                failed = std::current_exception();
            }
            {
                auto lock = pool.acquire();
                pool.add(job);
                if (failed)
                    pool.submit_failed(job, 0, failed);
                else
                    pool.submit(job, std::move(arguments));
                pool.seal(job);
                pool.leave();
            }
            backend::cancel_on_stop(pool_, job, options.stop);
            return AsyncResult<result>(pool_, job);
        } else {
            return detail::wire::refused{};
        }
    }

    // ---- many calls

    /// Calls `function(element)` for each element of `input` and returns the results in input order (nothing
    /// if the function returns void).
    ///
    /// Waits for all elements, then throws the first error that came, if any. The input may be any input
    /// range; its size, unless it is known or `chunksize` is given, is found by reading all of it first.
    /// @throws what a task threw, WorkerDied, PoolTerminated; what the input throws; std::invalid_argument
    template <class F, std::ranges::input_range Range>
    auto map(F&& function, Range&& input, const MapOptions& options = {}) {
        return run<map_task<F, Range>, values>(function, input, options);
    }
    /// map() with the elements' own members as arguments: each element is a tuple or a pair.
    template <class F, std::ranges::input_range Range>
    auto starmap(F&& function, Range&& input, const MapOptions& options = {}) {
        return run<starmap_task<F, Range>, values>(function, input, options);
    }

    /// map() that returns for each element its value or its error: one bad element costs only itself.
    template <class F, std::ranges::input_range Range>
    auto try_map(F&& function, Range&& input, const MapOptions& options = {}) {
        return run<map_task<F, Range>, outcomes>(function, input, options);
    }
    /// starmap() that returns for each element its value or its error.
    template <class F, std::ranges::input_range Range>
    auto try_starmap(F&& function, Range&& input, const MapOptions& options = {}) {
        return run<starmap_task<F, Range>, outcomes>(function, input, options);
    }

    /// Starts map() and returns at once; the input is read before it returns.
    template <class F, std::ranges::input_range Range>
    auto map_async(F&& function, Range&& input, const MapOptions& options = {}) {
        return run_async<map_task<F, Range>>(function, input, options);
    }
    /// Starts starmap() and returns at once; the input is read before it returns.
    template <class F, std::ranges::input_range Range>
    auto starmap_async(F&& function, Range&& input, const MapOptions& options = {}) {
        return run_async<starmap_task<F, Range>>(function, input, options);
    }

    /// Calls `function(element)` for each element and returns the results one by one, in input order, as they
    /// are asked for; see ImapResults. A range that is no temporary must outlive them.
    template <class F, std::ranges::input_range Range>
    auto imap(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<F>(function, std::forward<Range>(input), options, true);
    }
    /// imap() in the order in which elements are finished.
    template <class F, std::ranges::input_range Range>
    auto imap_unordered(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<F>(function, std::forward<Range>(input), options, false);
    }

    // ---- the end

    /// Takes no more calls; those at hand go on. Harmless if called again.
    void close() {
        const auto lock = core().acquire();
        pool_->close();
    }
    /// Ends the workers now; every pending result ends with PoolTerminated. Harmless if called again.
    void terminate() {
        auto lock = core().acquire();
        pool_->terminate(lock);
    }
    /// Waits until all calls are done and the workers have ended.
    /// @throws Error if neither close() nor terminate() was called before
    void join() {
        auto lock = core().acquire();
        pool_->join(lock);
    }

private:
    template <class Core = detail::backend::process_pool>
    void start(detail::backend::process_pool_options all) {
        pool_ = std::make_shared<Core>(std::move(all));
    }

    bool is_copy_in_child() const noexcept {
        return generation_ != detail::posix::fork_generation.load(std::memory_order_relaxed);
    }
    detail::backend::pool_backend& core() const {
        if (!pool_) throw PoolNotRunning("procpool: Pool not running (it was moved from)");
        if (is_copy_in_child())
            throw PoolNotRunning(
                "procpool: a pool can only be used by the process that made it; make another one here");
        return *pool_;
    }

    template <class Task, template <class> class Results, class F, class Range>
    auto run(const F& function, Range& input, const MapOptions& options) {
        if constexpr (Task::check())
            return run_as<typename Task::result, Results>(Task::define(function, core().arena()), input,
                                                          options);
        else
            return detail::wire::refused{};
    }

    template <class Task, class F, class Range>
    auto run_async(const F& function, Range& input, const MapOptions& options) {
        if constexpr (Task::check())
            return run_async_as<typename Task::result>(Task::define(function, core().arena()), input,
                                                       options);
        else
            return detail::wire::refused{};
    }

    // What a call does is compiled once for each type of results and of input, not for each task function.

    template <class R, template <class> class Results, class Range>
    auto run_as(detail::backend::task_definition definition, Range& input, const MapOptions& options) {
        const auto job = new_job<R, Results>(std::move(definition));
        auto& pool = *pool_;
        detail::backend::feed(pool_, job, input, options, [&](auto& lock) {
            pool.wait(lock, [&] { return job->done() || pool.wants_more(*job); }, detail::steady_time::max());
            return !job->done();
        });
        return result_of<R, Results>(job).get();
    }

    template <class R, class Range>
    auto run_async_as(detail::backend::task_definition definition, Range& input, const MapOptions& options) {
        const auto job = new_job<R, values>(std::move(definition));
        detail::backend::feed(pool_, job, input, options, [&](auto&) { return !job->failure(); });
        const auto lock = pool_->acquire();
        pool_->leave();
        return result_of<R, values>(job);
    }

    template <class R, template <class> class Results>
    auto new_job(detail::backend::task_definition definition) {
        using results = Results<R>;
        return std::make_shared<detail::backend::typed_job<R, results, typename results::result>>(
            std::move(definition), false);
    }

    template <class R, template <class> class Results, class Job>
    auto result_of(const std::shared_ptr<Job>& job) {
        return AsyncResult<typename Results<R>::result>(pool_, job);
    }

    template <class F, class Range>
    auto stream(const F& function, Range&& input, const MapOptions& options, bool ordered) {
        using namespace detail;
        using task = map_task<F, Range>;
        if constexpr (task::check()) {
            using result = typename task::result;
            auto& pool = core();
            const std::uint64_t chunk = job::checked_size(options.chunksize, "chunksize").value_or(1);
            const std::uint64_t window =
                job::checked_size(options.buffersize, "buffersize").value_or(2 * chunk * pool.size());
            auto job = std::make_shared<backend::typed_job<result, job::stream_of_results<result>>>(
                task::define(function, pool.arena()), false, window, ordered);
            backend::apply_options(*job, options);
            job->chunk = std::min(chunk, window);
            {
                const auto lock = pool.acquire();
                pool.add(job);
            }
            backend::cancel_on_stop(pool_, job, options.stop);
            try {
                return ImapResults<result, Range>(pool_, job, std::forward<Range>(input), window);
            } catch (...) {  // the input did not even begin
                backend::abandon_broken_input(pool, job);
                throw;
            }
        } else {
            return wire::refused{};
        }
    }

    std::shared_ptr<detail::backend::pool_backend> pool_;
    unsigned generation_ = detail::posix::fork_generation.load(std::memory_order_relaxed);
};

}  // namespace procpool

#endif
