// SPDX-License-Identifier: MIT
// What is behind the door to pools of threads.
#ifndef PROCPOOL_DETAIL_THREAD_MAKE_POOL_IMPL_HPP
#define PROCPOOL_DETAIL_THREAD_MAKE_POOL_IMPL_HPP

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/job/pool_options.hpp"
#include "procpool/detail/job/preload.hpp"
#include "procpool/detail/thread/make_pool.hpp"
#include "procpool/detail/thread/thread_pool.hpp"

namespace procpool::inline v0_1::detail::thread {

/// @throws std::invalid_argument
template <class Options = thread_pool_options>
Options checked(PoolOptions options) {
    using job::refuse;
    if (options.processes == 0)
        refuse(
            "ThreadPool has one thread at the least; Pool with .processes = 0 runs tasks in the calling one");
    const std::uint32_t threads = job::checked_workers(options);
    if (options.max_processes)
        refuse("ThreadPool has no max_processes, since it can't be resized; make another one");
    if (options.idle_timeout)
        refuse("ThreadPool has no idle_timeout: a thread that waits costs next to nothing; use Pool");
    if (options.maxtasksperchild)
        refuse("ThreadPool has no maxtasksperchild: a new thread would be as the old one; use Pool");
    if (options.limits.memory || options.limits.memory_growth)
        refuse("ThreadPool has no limits of memory, which threads share with the program; use Pool");
    if (options.memory.reserve)
        refuse("ThreadPool has no memory.reserve: its threads share the program's memory; use Pool");
    if (options.initializer_timeout)
        refuse("ThreadPool has no initializer_timeout: a thread can't be ended; use Pool");
    if (options.output != worker_output::direct)
        refuse("ThreadPool has no output but direct: its threads print where the program prints; use Pool");
    if (!options.environment.empty() || !options.working_directory.empty())
        refuse(
            "ThreadPool has no environment and no working_directory: its threads share those of the program; "
            "use Pool");
    if (options.max_pending_bytes)
        refuse("ThreadPool has no max_pending_bytes, since arguments aren't encoded there; use max_pending");
    if (!options.bundles.empty())
        refuse(
            "ThreadPool has no bundles: what dies of a task is the program, where a debugger sees it; use Pool");
    if (options.inner_threads)
        refuse("ThreadPool has no inner_threads: its threads share the program's libraries; use Pool");
    const job::pending_limits pending = job::checked_pending(options);
    return {.threads = threads,
            .nice = job::checked_nice(options.limits),
            .pin_to_cpu = options.limits.pin_to_cpu,
            .error_handler = std::move(options.error_handler),
            .observers = job::observers_of(options),
            .keeps_statistics = options.statistics,
            .finalizer = options.finalizer.function(),
            .seed = job::seed_of(options),
            .pending = pending};
}

template <class>
std::shared_ptr<thread_backend> make_pool(PoolOptions options,
                                          const std::function<std::function<void()>()>& make_initializer) {
    const std::shared_ptr<const job::preload> preload = options.preload.function();
    thread_pool_options all = checked(std::move(options));
    if (preload) preload->call();
    if (make_initializer) all.initializer = make_initializer();
    auto pool = std::make_shared<thread_pool>(std::move(all));
    pool->start();
    return pool;
}

template <class>
std::shared_ptr<thread_backend> make_pool_of(std::optional<int> processes) {
    return make_pool(PoolOptions{.processes = processes});
}

}  // namespace procpool::inline v0_1::detail::thread

#endif
