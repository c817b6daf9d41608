// SPDX-License-Identifier: MIT
// The options of a pool of processes: refused if they make no sense, and in the terms of the backend.
#ifndef PROCPOOL_DETAIL_PROCESS_POOL_OPTIONS_HPP
#define PROCPOOL_DETAIL_PROCESS_POOL_OPTIONS_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/detail/job/pool_options.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/process/process_pool.hpp"
#include "procpool/detail/zygote/start_check.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::process {

/// A template for the same reason as those that are only_if_used.
template <class Options = process_pool_options>
Options checked(PoolOptions options) {
    const std::uint32_t processes = job::checked_workers(options);
    const int restart_limit = options.restart_limit.value_or(2 * static_cast<int>(processes) + 2);
    if (restart_limit < 0)
        job::refuse("restart_limit must be 0 or more, not ", std::to_string(restart_limit));
    const WorkerLimits& limits = options.limits;
    job::checked_nice(limits);
    if (limits.memory == 0 || limits.memory_growth == 0)
        job::refuse("limits of memory must be more than 0 bytes");
    constexpr std::size_t longest_tail = zygote::worker_report::most_output;
    if (options.stderr_tail > longest_tail)
        job::refuse("stderr_tail must be ", std::to_string(longest_tail) + " bytes or less, not " +
                                                std::to_string(options.stderr_tail));
    if (options.terminate_grace.count() < 0) job::refuse("terminate_grace must not be negative");
    Options all{.workers = {.count = processes,
                            .restart_limit = static_cast<std::size_t>(restart_limit),
                            .arena_limit = options.arena_limit.value_or(os::physical_memory() / 4),
                            .settings = {.how = zygote::checked_start_method(options.start_method),
                                         .limits = limits,
                                         .output = options.output,
                                         .stderr_tail = options.stderr_tail},
                            .start_left_open = zygote::is_left_open(options.start_method),
                            .initializer = nullptr,
                            .initializer_arguments = {},
                            .quote_arguments = options.quote_arguments},
                .terminate_grace = job::at_most_for_ever(options.terminate_grace),
                .error_handler = std::move(options.error_handler)};
    if (const auto most = job::checked_size(options.maxtasksperchild, "maxtasksperchild"))
        all.max_elements_per_worker = *most;
    if (const auto& finalizer = options.finalizer.function()) {
        all.finalizer = finalizer->make_job(finalizer);
        all.finalizer->timeout = finalizer_limit;
    }
    return all;
}

}  // namespace procpool::inline v0_1::detail::process

#endif
