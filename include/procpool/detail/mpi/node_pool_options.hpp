// SPDX-License-Identifier: MIT
// What a pool of nodes is made of.
#ifndef PROCPOOL_DETAIL_MPI_NODE_POOL_OPTIONS_HPP
#define PROCPOOL_DETAIL_MPI_NODE_POOL_OPTIONS_HPP

#include <chrono>
#include <exception>
#include <functional>

#include "procpool/detail/mpi/node_options.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::mpi {

struct node_pool_options {
    node_options node;
    wire::buffer functions;  // that follow them
    std::chrono::nanoseconds node_timeout{};
    bool fails_with_node = false;  // elements that a lost node had; else they run elsewhere, once
    bool workers_on_rank_0 = true;
    std::function<void(std::exception_ptr)> error_handler;
};

}  // namespace procpool::inline v0_1::detail::mpi

#endif
