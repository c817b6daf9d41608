// SPDX-License-Identifier: MIT
// What is behind the door to pools of many machines.
#ifndef PROCPOOL_DETAIL_MPI_MAKE_POOL_IMPL_HPP
#define PROCPOOL_DETAIL_MPI_MAKE_POOL_IMPL_HPP

#include <memory>
#include <thread>
#include <utility>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/pending_calls.hpp"
#include "procpool/detail/job/pool_options.hpp"
#include "procpool/detail/mpi/make_pool.hpp"
#include "procpool/detail/mpi/node_pool.hpp"
#include "procpool/detail/mpi/session.hpp"
#include "procpool/detail/process/make_pool_impl.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// To be called when nobody holds the pool any more; see the same of process/.
template <class = only_if_used>
void end(node_pool* pool) {
    if (pool->is_copy()) return;
    if (!pool->is_own_thread()) {
        delete pool;
        return;
    }
    std::thread([pool] { delete pool; }).detach();
}

template <class>
std::shared_ptr<scheduler::pool_backend> make_pool(pool_request request,
                                                   std::function<void(std::exception_ptr)> error_handler) {
    session& all = require_session();
    if (request.node_timeout < beat_interval * 2) job::refuse("node_timeout must be 2 seconds or more");
    if (!request.workers_on_rank_0 && all.hosts().size() == 1)
        job::refuse("workers_on_rank_0 must be true where there is no other node");
    const job::pending_limits pending = job::checked_pending(request);
    request.node.preload_bytes = request.preload.size();
    request.node.initializer_bytes = request.initializer.size();
    wire::buffer functions = std::move(request.preload);
    for (const wire::buffer* const more : {&request.initializer, &request.arguments})
        functions.append(more->data(), more->size());
    const std::shared_ptr<scheduler::pool_backend> pool{
        new node_pool(all, {.node = request.node,
                            .functions = std::move(functions),
                            .node_timeout = request.node_timeout,
                            .fails_with_node = request.fails_with_node,
                            .workers_on_rank_0 = request.workers_on_rank_0,
                            .error_handler = std::move(error_handler)}),
        &end<>};
    all.end_with_this(pool);
    return process::with_limits(pool, pending);
}

template <class>
void each_node(scheduler::pool_backend& pool,
               const std::function<void(int, const std::string&, std::size_t, bool)>& take) {
    auto& nodes = static_cast<node_pool&>(pool);
    const auto lock = nodes.acquire();
    nodes.each_node([&](const node& one, bool alive) { take(one.rank(), one.host(), one.workers, alive); });
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
