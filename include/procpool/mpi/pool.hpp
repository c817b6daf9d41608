// SPDX-License-Identifier: MIT
// Pools whose workers are on many machines. For files that use them; the one with main includes
// procpool/mpi.hpp.
#ifndef PROCPOOL_MPI_POOL_HPP
#define PROCPOOL_MPI_POOL_HPP

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/basic_pool.hpp"
#include "procpool/cpu_count.hpp"
#include "procpool/detail/call/encode.hpp"
#include "procpool/detail/call/in_processes.hpp"
#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/job/preload.hpp"
#include "procpool/detail/mpi/make_pool.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/wire/other_machines.hpp"
#include "procpool/error.hpp"
#include "procpool/executor.hpp"
#include "procpool/imap.hpp"
#include "procpool/options.hpp"
#include "procpool/outcome.hpp"
#include "procpool/partial.hpp"
#include "procpool/result.hpp"
#include "procpool/start_method.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::mpi {

/// What happens to elements that a node had not answered when it was lost.
enum class on_node_loss {
    rerun,  ///< they run on another node, and may so run twice; those of two lost nodes fail with NodeDied
    fail,   ///< they fail with NodeDied
};

/// `mpi::Pool pool({.processes_per_node = 8, .node_timeout = 10s});`
struct PoolOptions {
    /// Number of workers on each node, 1 or more; cpu_count() of the node by default.
    std::optional<int> processes_per_node = {};
    /// Whether rank 0's node has workers, too.
    bool workers_on_rank_0 = true;
    /// A node that was silent for so long is lost.
    std::chrono::nanoseconds node_timeout = std::chrono::seconds(30);
    /// What happens to the elements of a lost node.
    mpi::on_node_loss on_node_loss = mpi::on_node_loss::rerun;

    // The rest is as in procpool::PoolOptions, on each node.

    /// Elements that a worker runs before it is replaced by a fresh one.
    std::optional<std::ptrdiff_t> maxtasksperchild = {};
    /// How workers are born; forkserver by default, which shares nothing with MPI.
    procpool::start_method start_method = procpool::start_method::forkserver;
    /// Told of exceptions that callbacks throw.
    std::function<void(std::exception_ptr)> error_handler = {};
    /// Time that the initializer may take in each worker.
    std::optional<std::chrono::nanoseconds> initializer_timeout = {};
    /// Time that a worker has to end after SIGTERM.
    std::chrono::nanoseconds terminate_grace = std::chrono::seconds(1);
    /// Deaths in a row of a node's workers that got nowhere, after which the pool fails.
    std::optional<int> restart_limit = {};
    /// What each worker may use of its machine.
    WorkerLimits limits = {};
    /// How much memory of its machine each node leaves.
    MemoryOptions memory = {};
    /// Bytes of shared memory that large values may take between a node and its workers.
    std::optional<std::size_t> arena_limit = {};
    /// Whether processes that tasks have started may outlive their worker.
    bool keep_children = false;
    /// Where what workers print goes, on their node; launchers bring it to the program's own output.
    worker_output output = worker_output::direct;
    /// Bytes of what a worker printed last to standard error that its WorkerDied tells.
    std::size_t stderr_tail = 0;
    /// Whether WorkerDied quotes what the element was called with.
    bool quote_arguments = true;
    /// Single calls of the whole pool that have no result yet, at the most.
    std::optional<std::size_t> max_pending = {};
    /// The same for the bytes of their arguments.
    std::optional<std::size_t> max_pending_bytes = {};
    /// Called once on each node, where its workers are forked from; what lies in the memory of one machine
    /// can't be bound to it.
    Preload preload = {};
};

/// A machine of the pool.
struct NodeStatus {
    /// The MPI rank that hosts its workers.
    int rank = 0;
    /// The machine's name.
    std::string host = {};
    /// Number of its workers.
    std::size_t workers = 0;
    /// False once it is lost.
    bool alive = true;
};

/// A pool whose workers are those of all nodes: all calls are as in procpool::Pool.
///
/// To be made in the function that run() calls. What can't leave a machine, a SharedArray, a Queue, a Lock,
/// is refused when it is sent.
class Pool : public BasicPool<detail::call::in_processes> {
public:
    /// Starts cpu_count() workers on each node. @throws Error outside of run(); BootstrapError,
    /// std::system_error
    template <class = detail::only_if_used>
    Pool() : Pool(PoolOptions{}) {}

    /// Starts `processes_per_node` workers on each node. @throws std::invalid_argument if it is less than 1
    template <class = detail::only_if_used>
    explicit Pool(int processes_per_node) : Pool(PoolOptions{.processes_per_node = processes_per_node}) {}

    /// Each worker calls `initializer(initargs...)` before its first task.
    template <class Initializer, class... Args>
    Pool(int processes_per_node, Initializer&& initializer, Args&&... initargs)
        : Pool(PoolOptions{.processes_per_node = processes_per_node}, std::forward<Initializer>(initializer),
               std::forward<Args>(initargs)...) {}

    /// With options.
    template <class = detail::only_if_used>
    explicit Pool(PoolOptions options) {
        BasicPool::start(detail::mpi::make_pool(request_of(options), std::move(options.error_handler)));
    }

    /// With options and an initializer.
    template <class Initializer, class... Args>
    Pool(PoolOptions options, Initializer&& initializer, Args&&... initargs) {
        using namespace detail;
        using task = call::in_processes::call_task<call::call_style::returns, Initializer, Args...>;
        if constexpr (task::check()) {
            detail::mpi::pool_request request = request_of(options);
            const auto& definition = task::define(initializer, wire::other_machines());
            request.initializer.append(definition.bytes.data(), definition.bytes.size());
            scheduler::block arguments;
            arguments.large.memory = wire::other_machines();
            call::append_element(arguments, std::forward_as_tuple(std::as_const(initargs)...));
            call::put_size_in_front(arguments);
            request.arguments = std::move(arguments.bytes);
            request.node.has_initializer = true;
            BasicPool::start(detail::mpi::make_pool(std::move(request), std::move(options.error_handler)));
        }
    }

    /// The machines, in the order of their ranks.
    template <class = detail::only_if_used>
    std::vector<NodeStatus> nodes() const {
        std::vector<NodeStatus> all;
        detail::mpi::each_node(core(), [&](int rank, const std::string& host, std::size_t workers,
                                           bool alive) { all.push_back({rank, host, workers, alive}); });
        return all;
    }

    /// Not on several machines: a node decides which of its workers runs what.
    template <class... Any>
    void everywhere(Any&&...) = delete;
    template <class... Any>
    void try_everywhere(Any&&...) = delete;

    void swap(Pool& other) noexcept { BasicPool::swap(other); }

private:
    template <class = detail::only_if_used>
    static detail::mpi::pool_request request_of(const PoolOptions& options) {
        detail::mpi::pool_request request;
        request.node_timeout = options.node_timeout;
        request.workers_on_rank_0 = options.workers_on_rank_0;
        request.fails_with_node = options.on_node_loss == on_node_loss::fail;
        request.max_pending = options.max_pending;
        request.max_pending_bytes = options.max_pending_bytes;
        if (const auto& preload = options.preload.function())
            request.preload = preload->encode(detail::wire::other_machines());
        request.node = {.processes = options.processes_per_node,
                        .maxtasksperchild = options.maxtasksperchild,
                        .how = options.start_method,
                        .initializer_timeout = options.initializer_timeout,
                        .terminate_grace = options.terminate_grace,
                        .restart_limit = options.restart_limit,
                        .limits = options.limits,
                        .memory = options.memory,
                        .arena_limit = options.arena_limit,
                        .keep_children = options.keep_children,
                        .output = options.output,
                        .stderr_tail = options.stderr_tail,
                        .quote_arguments = options.quote_arguments};
        return request;
    }
};

/// concurrent.futures' executor on the workers of all nodes, with the options of mpi::Pool.
using Executor = BasicExecutor<Pool, PoolOptions>;

}  // namespace procpool::inline v0_1::mpi

#endif
