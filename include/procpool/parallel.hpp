// SPDX-License-Identifier: MIT
// Parallel: a loop whose calls run in a pool, as joblib writes it.
#ifndef PROCPOOL_PARALLEL_HPP
#define PROCPOOL_PARALLEL_HPP

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/cpu_count.hpp"
#include "procpool/detail/refused.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/imap.hpp"
#include "procpool/indexed.hpp"
#include "procpool/options.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/start_method.hpp"
#include "procpool/thread_pool.hpp"

namespace procpool::inline v0_1 {

/// Where Parallel runs its calls.
namespace prefer {
/// The type of `processes`.
struct processes_t {
    /// What runs the calls.
    using pool = Pool;
};
/// The type of `threads`.
struct threads_t {
    /// What runs the calls.
    using pool = ThreadPool;
};
/// In worker processes, the default.
inline constexpr processes_t processes{};
/// In threads.
inline constexpr threads_t threads{};
}  // namespace prefer

/// What Parallel returns.
namespace return_as {
/// The type of `list`.
struct list_t {};
/// The type of `generator`.
struct generator_t {};
/// The type of `generator_unordered`.
struct generator_unordered_t {};
/// A vector in the order of the input.
inline constexpr list_t list{};
/// Results one by one in the order of the input, which is pulled meanwhile; see ImapResults.
inline constexpr generator_t generator{};
/// The same in the order in which they come.
inline constexpr generator_unordered_t generator_unordered{};
}  // namespace return_as

/// `Parallel parallel(4, {.batch_size = 10});`
struct ParallelOptions {
    /// Calls that go to a worker together, 1 or more. By default that depends on how long they take, which is
    /// measured.
    std::optional<std::ptrdiff_t> batch_size = {};
    /// Generators only: calls that are pulled from the input and not yet yielded, at the most; by default as
    /// imap's buffersize, see MapOptions.
    std::optional<std::ptrdiff_t> pre_dispatch = {};
    /// Time that each call may take (processes only); see MapOptions::timeout.
    std::optional<std::chrono::nanoseconds> timeout = {};
    /// How workers are born (processes only).
    procpool::start_method start_method = procpool::start_method::automatic;
    /// What observers know its loops by.
    std::string name = {};
    /// Are told what its workers do; see Observer.
    std::vector<std::shared_ptr<Observer>> observers = {};
    /// Shows how far its loops are; see progress().
    std::shared_ptr<Observer> progress = {};
};

/// What delayed() returns: `range | delayed(f)` calls it for each element, `delayed(f)(a, b)` is one call.
template <class F>
struct Delayed {
    /// What is called.
    F function;

    /// A call of the function, to be made later, as partial() keeps it.
    template <class... Args>
    auto operator()(Args&&... args) const {
        return partial(function, std::forward<Args>(args)...);
    }
};

/// The calls of a function for each element of a range.
template <class Range, class F>
struct DelayedRange {
    Range range;  ///< a reference if the caller keeps it
    /// What is called for each element.
    F function;
};

/// A function whose calls Parallel makes.
template <class F>
Delayed<std::decay_t<F>> delayed(F&& function) {
    return {std::forward<F>(function)};
}

/// `function` for each element of `range`. Members of tuples and pairs become arguments, unless the function
/// takes the tuple itself. A range that is no temporary must outlive the results.
template <std::ranges::input_range Range, class F>
DelayedRange<Range, F> operator|(Range&& range, Delayed<F> function) {
    return {std::forward<Range>(range), std::move(function.function)};
}

namespace detail {

template <class T>
concept preference = requires { typename T::pool; };
template <class T>
concept form_of_results = std::same_as<T, return_as::list_t> || std::same_as<T, return_as::generator_t> ||
                          std::same_as<T, return_as::generator_unordered_t>;

template <class T>
inline constexpr bool is_delayed_call = false;
template <class F, class... Bound>
inline constexpr bool is_delayed_call<Partial<F, Bound...>> = std::is_invocable_v<const F&, const Bound&...>;

/// Makes a call that was delayed.
struct make_call {
    template <class Call>
    auto operator()(const Call& call) const {
        return call();
    }
};

/// joblib's n_jobs. @throws std::invalid_argument if it is 0
inline int workers_of(int n_jobs) {
    if (n_jobs == 0)
        throw std::invalid_argument(
            "procpool: n_jobs == 0 in Parallel has no meaning: give the number of workers, or "
            "-1 for all CPUs, -2 for all but one, and so on");
    return n_jobs > 0 ? n_jobs : std::max(cpu_count() + 1 + n_jobs, 1);
}

}  // namespace detail

/// A range of calls, as std::vector{delayed(f)(1), delayed(f)(2)}.
template <class Range>
concept range_of_calls =
    std::ranges::input_range<Range> && detail::is_delayed_call<std::ranges::range_value_t<Range>>;

/// Results one by one, and the pool that makes them; see ImapResults.
template <class PoolType, class Results>
class ParallelResults {
public:
    /// As Parallel makes it.
    ParallelResults(std::shared_ptr<PoolType> pool, Results results)
        : pool_(std::move(pool)), results_(std::move(results)) {}

    /// The next result; nothing after the last one.
    auto next() { return results_.next(); }
    /// The same, but waits for a limited time.
    template <class Rep, class Period>
    auto next(std::chrono::duration<Rep, Period> timeout) {
        return results_.next(timeout);
    }
    /// Waits for the first result.
    auto begin() { return results_.begin(); }
    auto end() const noexcept { return results_.end(); }

    /// The position in the input of the result that was taken last, by next() or by a loop.
    std::uint64_t index() const noexcept { return results_.index(); }
    /// The same results with their positions: `for (auto [index, value] : ...)`.
    auto with_index() & { return IndexedResults<ParallelResults&>(*this); }
    auto with_index() && { return IndexedResults<ParallelResults>(std::move(*this)); }

private:
    std::shared_ptr<PoolType> pool_;
    Results results_;
};

/// Runs the calls that it is given; mirrors joblib's Parallel.
///
/// `Parallel(4)(files | delayed(load))` is a vector, in the order of the input; nothing if the function
/// returns void. The first error ends it: calls that have not begun are dropped, and the error is thrown.
/// With return_as::generator results come one by one, and each error at its place. An object that is kept
/// keeps its workers for the next calls. Its methods may be called from several threads.
template <class Prefer = prefer::processes_t, class ReturnAs = return_as::list_t>
class Parallel {
    using pool_type = typename Prefer::pool;

public:
    /// `n_jobs` workers; -1 is one for each CPU, -2 for all CPUs but one, and so on. Unlike joblib, 1 is a
    /// worker, too: a call that crashes costs no more than its own result.
    /// @throws std::invalid_argument if it is 0
    explicit Parallel(int n_jobs, const ParallelOptions& options = {})
        : options_(options),
          pool_(std::make_shared<pool_type>(PoolOptions{.processes = detail::workers_of(n_jobs),
                                                        .start_method = options.start_method,
                                                        .observers = options.observers})) {}
    /// The same in processes or threads, as `prefer` says.
    Parallel(int n_jobs, Prefer, const ParallelOptions& options = {})
        requires detail::preference<Prefer>
        : Parallel(n_jobs, options) {}
    /// The same with what it shall return.
    Parallel(int n_jobs, ReturnAs, const ParallelOptions& options = {})
        requires detail::form_of_results<ReturnAs>
        : Parallel(n_jobs, options) {}
    /// The same with both.
    Parallel(int n_jobs, Prefer, ReturnAs, const ParallelOptions& options = {})
        requires detail::preference<Prefer> && detail::form_of_results<ReturnAs>
        : Parallel(n_jobs, options) {}

    /// Calls the function for each element.
    template <class Range, class F>
    auto operator()(DelayedRange<Range, F> calls) {
        using element = std::remove_cvref_t<std::ranges::range_reference_t<Range>>;
        constexpr bool takes_it_whole = detail::wire::callable_with<F, detail::wire::wire_type_t<element>> ||
                                        std::is_invocable_v<F&, std::ranges::range_reference_t<Range>>;
        constexpr bool unpacks = detail::wire::is_tuple<element> && !takes_it_whole;
        return run<unpacks>(std::move(calls.function), std::forward<Range>(calls.range));
    }
    /// Makes each of the calls, a range_of_calls.
    template <class Range>
    auto operator()(Range&& calls) {
        if constexpr (!range_of_calls<Range>) {
            static_assert(range_of_calls<Range>,
                          "procpool: Parallel takes calls: range | delayed(f) for one of each element, or a "
                          "range of delayed(f)(args...)");
            return detail::refused{};
        } else if constexpr (!can_be_sent<std::ranges::range_value_t<Range>>()) {
            return detail::refused{};
        } else {
            return run<false>(detail::make_call(), std::forward<Range>(calls));
        }
    }

private:
    /// One clear compile error if a call can't go to where it is to run.
    template <class Call>
    static consteval bool can_be_sent() {
        if constexpr (std::same_as<Prefer, prefer::processes_t>)
            return detail::wire::callable_check<Call>::run();
        else
            return true;
    }

    static constexpr bool as_list = std::same_as<ReturnAs, return_as::list_t>;

    template <bool Unpacks, class F, class Range>
    auto run(F&& function, Range&& range) {
        MapOptions how{.chunksize = options_.batch_size,
                       .timeout = options_.timeout,
                       .name = options_.name,
                       .progress = options_.progress};
        if constexpr (as_list) {
            // Small batches cost nothing here: a worker is sent what it can do in a while, in one message.
            if (!how.chunksize) how.chunksize = 1;
            how.fail_fast = true;
            if constexpr (Unpacks)
                return pool_->starmap(std::forward<F>(function), range, how);
            else
                return pool_->map(std::forward<F>(function), range, how);
        } else {
            how.buffersize = options_.pre_dispatch;
            constexpr bool ordered = std::same_as<ReturnAs, return_as::generator_t>;
            const auto stream = [&](auto& pool) {
                if constexpr (Unpacks && ordered)
                    return pool.istarmap(std::forward<F>(function), std::forward<Range>(range), how);
                else if constexpr (Unpacks)
                    return pool.istarmap_unordered(std::forward<F>(function), std::forward<Range>(range),
                                                   how);
                else if constexpr (ordered)
                    return pool.imap(std::forward<F>(function), std::forward<Range>(range), how);
                else
                    return pool.imap_unordered(std::forward<F>(function), std::forward<Range>(range), how);
            };
            return kept(stream(*pool_));
        }
    }

    template <class R>
    auto kept(ImapResults<R> results) {
        return ParallelResults(pool_, std::move(results));
    }
    static detail::refused kept(detail::refused refused) { return refused; }

    ParallelOptions options_;
    std::shared_ptr<pool_type> pool_;
};
// Clang 19 forgets what the constructors require when it deduces the class's arguments from theirs.
template <detail::preference Prefer>
Parallel(int, Prefer, ParallelOptions = {}) -> Parallel<Prefer, return_as::list_t>;
template <detail::form_of_results ReturnAs>
Parallel(int, ReturnAs, ParallelOptions = {}) -> Parallel<prefer::processes_t, ReturnAs>;

}  // namespace procpool::inline v0_1

#endif
