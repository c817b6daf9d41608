// SPDX-License-Identifier: MIT
// Pool: runs functions on many inputs in worker processes; mirrors Python's multiprocessing.Pool.
#ifndef PROCPOOL_POOL_HPP
#define PROCPOOL_POOL_HPP

#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/basic_pool.hpp"
#include "procpool/cpu_count.hpp"
#include "procpool/detail/call/encode.hpp"
#include "procpool/detail/call/in_processes.hpp"
#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/process/make_pool.hpp"
#include "procpool/element_seed.hpp"
#include "procpool/error.hpp"
#include "procpool/imap.hpp"
#include "procpool/options.hpp"
#include "procpool/outcome.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool_status.hpp"
#include "procpool/result.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1 {

/// A pool of worker processes.
///
/// Tasks are function pointers, lambdas that capture by value, functors, member functions and partial();
/// arguments and results are anything that cereal can serialise. What can't be sent is a compile error.
/// When a worker dies, the element that it was running fails with WorkerDied, all others go on, and the
/// worker is replaced.
class Pool : public BasicPool<detail::call::in_processes> {
public:
    /// Starts cpu_count() workers. @throws BootstrapError, std::system_error
    template <class = detail::only_if_used>
    Pool() {
        BasicPool::start(detail::process::make_pool_of({}));
    }

    /// Starts `processes` workers; 0 runs tasks in the calling thread, see PoolOptions::processes.
    /// @throws std::invalid_argument if it is negative
    template <class = detail::only_if_used>
    explicit Pool(int processes) {
        BasicPool::start(detail::process::make_pool_of(processes));
    }

    /// Each worker calls `initializer(initargs...)` before its first task; replacements do too. If it
    /// throws, every call of the pool ends with that error.
    template <class Initializer, class... Args>
    Pool(int processes, Initializer&& initializer, Args&&... initargs)
        : Pool(PoolOptions{.processes = processes}, std::forward<Initializer>(initializer),
               std::forward<Args>(initargs)...) {}

    /// With options: `Pool pool({.processes = 8, .maxtasksperchild = 1000});`
    template <class = detail::only_if_used>
    explicit Pool(PoolOptions options) {
        BasicPool::start(detail::process::make_pool(std::move(options)));
    }

    /// With options and an initializer. Its arguments are taken only if the options make sense.
    template <class Initializer, class... Args>
    Pool(PoolOptions options, Initializer&& initializer, Args&&... initargs) {
        using namespace detail;
        using task = call::in_processes::call_task<call::call_style::returns, Initializer, Args...>;
        if constexpr (task::check()) {
            const auto limit = job::checked_limit(options.initializer_timeout, "initializer_timeout");
            BasicPool::start(process::make_pool(std::move(options), [&] {
                process::pool_initializer each_runs{
                    std::make_shared<call::initializer_job>(task::define(initializer)), {}};
                each_runs.job->timeout = limit;
                call::append_element(each_runs.arguments, std::forward_as_tuple(std::as_const(initargs)...));
                call::put_size_in_front(each_runs.arguments);
                return each_runs;
            }));
        }
    }

    /// The worker processes, and what each of them runs now; in the order of their indices.
    template <class Core = pool_type>
    std::vector<WorkerStatus> workers() const {
        Core& pool = core();
        const auto lock = pool.acquire();
        return pool.workers();
    }

    /// Has `workers` workers from now on, and returns at once: new ones start meanwhile; of those that are
    /// too many each finishes what it runs and leaves, and the others run the rest. Keys of TaskOptions may
    /// move.
    /// @throws std::invalid_argument if it is less than 1, or more than PoolOptions::max_processes
    /// @throws PoolNotRunning, and what the pool has failed with
    template <class Core = pool_type>
    void resize(int workers) {
        Core& pool = core();
        auto lock = pool.acquire();
        pool.resize(workers);
        pool.leave(lock);
    }

    void swap(Pool& other) noexcept { BasicPool::swap(other); }
};

}  // namespace procpool::inline v0_1

#endif
