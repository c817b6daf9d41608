// SPDX-License-Identifier: MIT
// What a node is told of the pool that it is to make.
#ifndef PROCPOOL_DETAIL_MPI_NODE_OPTIONS_HPP
#define PROCPOOL_DETAIL_MPI_NODE_OPTIONS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "procpool/options.hpp"
#include "procpool/start_method.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// The part of PoolOptions that means something on another machine. It travels as it is, since all nodes run
/// the same program.
struct node_options {
    std::optional<int> processes;
    std::optional<std::ptrdiff_t> maxtasksperchild;
    start_method how = start_method::automatic;
    std::optional<std::chrono::nanoseconds> initializer_timeout;
    std::chrono::nanoseconds terminate_grace{0};
    std::optional<int> restart_limit;
    WorkerLimits limits;
    MemoryOptions memory;
    std::optional<std::size_t> arena_limit;
    std::uint32_t first_index = 0;  // of its workers among those of all nodes
    bool is_one_of_many = false;    // nodes of the pool
    bool keep_children = false;
    worker_output output = worker_output::direct;
    std::size_t stderr_tail = 0;
    bool quote_arguments = true;
    bool has_initializer = false;
    // What follows: the preload, the initializer's definition, its arguments.
    std::uint64_t preload_bytes = 0;
    std::uint64_t initializer_bytes = 0;

    PoolOptions for_pool() const {
        return {.processes = processes,
                .maxtasksperchild = maxtasksperchild,
                .start_method = how,
                .error_handler = {},
                .initializer_timeout = initializer_timeout,
                .terminate_grace = terminate_grace,
                .restart_limit = restart_limit,
                .limits = limits,
                .memory = memory,
                .arena_limit = arena_limit,
                .keep_children = keep_children,
                .output = output,
                .stderr_tail = stderr_tail,
                .quote_arguments = quote_arguments};
    }
};
static_assert(std::is_trivially_copyable_v<node_options>);

}  // namespace procpool::inline v0_1::detail::mpi

#endif
