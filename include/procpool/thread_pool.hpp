// SPDX-License-Identifier: MIT
// ThreadPool: Pool with threads in place of processes; mirrors Python's multiprocessing.pool.ThreadPool.
#ifndef PROCPOOL_THREAD_POOL_HPP
#define PROCPOOL_THREAD_POOL_HPP

#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "procpool/basic_pool.hpp"
#include "procpool/cpu_count.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/thread/in_threads.hpp"
#include "procpool/detail/thread/make_pool.hpp"
#include "procpool/element_seed.hpp"
#include "procpool/error.hpp"
#include "procpool/imap.hpp"
#include "procpool/options.hpp"
#include "procpool/outcome.hpp"
#include "procpool/result.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1 {

/// A pool of threads, with the calls, options and results of Pool: to change the one word is to change where
/// tasks run.
///
/// Nothing is serialised: a task is any callable, also one that captures by reference, a std::function or one
/// that can only be moved; arguments and results are of any type. Calls that wait (map, apply, ...) and imap
/// hand elements of an lvalue range to tasks as they are: a task that takes `T&` changes them in place. Calls
/// that return at once (map_async, apply_async, ...) copy them, unless the task takes nothing but `T&`; then
/// the range must stay until the result is there. Threads call one function object at the same time, as
/// const; one that can't be called as const is copied for each chunk (each element of imap).
///
/// A task's exception arrives as the object that was thrown, with nothing nested in it.
///
/// What threads can't do: a crash in a task ends the program; cancel(), terminate(), fail_fast and stop
/// tokens drop what has not begun and let running tasks end, for which terminate() and the destructor wait.
/// So a time limit (timeout and cpu_timeout of calls, PoolOptions::initializer_timeout) is a
/// std::invalid_argument, as are maxtasksperchild, max_processes, keys and journals of calls, limits of
/// memory, max_pending_bytes, environment, working_directory, inner_threads, bundles, and output other than
/// direct; soft_timeout is for tasks that ask stop_requested(). Options that are for deaths of processes and
/// for their start have no meaning here and are ignored: start_method, arena_limit, terminate_grace,
/// restart_limit, stderr_tail, quote_arguments, finalizer_timeout, and retries without retry_exceptions.
///
/// A task may wait without a time limit for calls to the pool that runs it: its thread runs them meanwhile.
/// A task must not end its thread (pthread_exit).
class ThreadPool : public BasicPool<detail::thread::in_threads> {
public:
    /// Starts cpu_count() threads. @throws std::system_error
    template <class = detail::only_if_used>
    ThreadPool() {
        BasicPool::start(detail::thread::make_pool_of({}));
    }

    /// Starts `processes` threads. @throws std::invalid_argument if it is less than 1
    template <class = detail::only_if_used>
    explicit ThreadPool(int processes) {
        BasicPool::start(detail::thread::make_pool_of(processes));
    }

    /// Each thread calls `initializer(initargs...)` before its first task, with copies of the arguments
    /// (std::ref passes references). If it throws, every call of the pool ends with that error.
    template <class Initializer, class... Args>
    ThreadPool(int processes, Initializer&& initializer, Args&&... initargs)
        : ThreadPool(PoolOptions{.processes = processes}, std::forward<Initializer>(initializer),
                     std::forward<Args>(initargs)...) {}

    /// With options; those that are for processes only are refused.
    template <class = detail::only_if_used>
    explicit ThreadPool(PoolOptions options) {
        BasicPool::start(detail::thread::make_pool(std::move(options)));
    }

    /// With options and an initializer. Its arguments are taken only if the options make sense.
    template <class Initializer, class... Args>
    ThreadPool(PoolOptions options, Initializer&& initializer, Args&&... initargs) {
        using call = std::tuple<std::decay_t<Initializer>, std::decay_t<Args>...>;
        BasicPool::start(detail::thread::make_pool(std::move(options), [&] {
            return [shared = std::make_shared<call>(std::forward<Initializer>(initializer),
                                                    std::forward<Args>(initargs)...)] {
                const auto invoke = [](auto&&... parts) {
                    std::invoke(std::forward<decltype(parts)>(parts)...);
                };
                if constexpr (std::is_copy_constructible_v<call>)  // threads may change theirs
                    std::apply(invoke, call(*shared));
                else
                    std::apply(invoke, *shared);
            };
        }));
    }

    void swap(ThreadPool& other) noexcept { BasicPool::swap(other); }
};

}  // namespace procpool::inline v0_1

#endif
