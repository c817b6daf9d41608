// SPDX-License-Identifier: MIT
// The door to pools of many machines: all that a file which makes one needs to know of them.
#ifndef PROCPOOL_DETAIL_MPI_MAKE_POOL_HPP
#define PROCPOOL_DETAIL_MPI_MAKE_POOL_HPP

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "procpool/detail/mpi/node_options.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::mpi {

struct pool_request {
    node_options node;
    std::chrono::nanoseconds node_timeout{};
    bool fails_with_node = false;
    bool workers_on_rank_0 = true;
    std::optional<std::size_t> max_pending;
    std::optional<std::size_t> max_pending_bytes;
    wire::buffer preload;  // empty if there is none
    // Both empty if there is no initializer.
    wire::buffer initializer;  // its definition
    wire::buffer arguments;    // of it, with their size in front
};

/// @throws std::invalid_argument, Error outside of run(), BootstrapError, std::system_error
template <class = only_if_used>
std::shared_ptr<scheduler::pool_backend> make_pool(pool_request request,
                                                   std::function<void(std::exception_ptr)> error_handler);

/// Calls `take(rank, host, workers, alive)` for each node.
template <class = only_if_used>
void each_node(scheduler::pool_backend& pool,
               const std::function<void(int, const std::string&, std::size_t, bool)>& take);

}  // namespace procpool::inline v0_1::detail::mpi

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/mpi/make_pool_impl.hpp"
#endif

#endif
