// SPDX-License-Identifier: MIT
// The user's options: refused if they make no sense, and in the terms of the backend.
#ifndef PROCPOOL_DETAIL_BACKEND_CHECKED_OPTIONS_HPP
#define PROCPOOL_DETAIL_BACKEND_CHECKED_OPTIONS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "procpool/cpu_count.hpp"
#include "procpool/detail/backend/process_pool.hpp"
#include "procpool/detail/backend/remote_job.hpp"
#include "procpool/detail/backend/start_check.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/options.hpp"

namespace procpool::detail::backend {

/// @throws std::invalid_argument("procpool: ...")
template <class = only_if_used>
[[noreturn]] void refuse(const char* what, const std::string& got = {}) {
    throw std::invalid_argument(std::string("procpool: ").append(what).append(got));
}

/// So that a moment plus this is no overflow.
template <class = only_if_used>
std::chrono::nanoseconds at_most_for_ever(std::chrono::nanoseconds time) noexcept {
    constexpr std::chrono::hours a_century{24 * 365 * 100};
    return time < a_century ? time : no_limit;
}

template <class = only_if_used>
std::chrono::nanoseconds checked_limit(std::optional<std::chrono::nanoseconds> limit, const char* name) {
    if (!limit) return no_limit;
    if (limit->count() <= 0) refuse(name, " must be longer than 0");
    return at_most_for_ever(*limit);
}

/// A template for the same reason as those that are only_if_used.
template <class Options = process_pool_options>
Options checked(PoolOptions options) {
    const int processes = options.processes ? *options.processes : cpu_count();
    if (processes < 1) refuse("Number of processes must be at least 1, not ", std::to_string(processes));
    const int restart_limit = options.restart_limit.value_or(2 * processes + 2);
    if (restart_limit < 0) refuse("restart_limit must be 0 or more, not ", std::to_string(restart_limit));
    const WorkerLimits& limits = options.limits;
    if (limits.nice < 0 || limits.nice > 19)
        refuse("limits.nice must be from 0 to 19, not ", std::to_string(limits.nice));
    if (limits.memory == 0 || limits.memory_growth == 0) refuse("limits of memory must be more than 0 bytes");
    constexpr std::size_t longest_tail = posix::worker_report::most_output;
    if (options.stderr_tail > longest_tail)
        refuse("stderr_tail must be ",
               std::to_string(longest_tail) + " bytes or less, not " + std::to_string(options.stderr_tail));
    if (options.terminate_grace.count() < 0) refuse("terminate_grace must not be negative");
    Options all{.crew = {.workers = static_cast<std::uint32_t>(processes),
                         .restart_limit = static_cast<std::size_t>(restart_limit),
                         .arena_limit = options.arena_limit.value_or(
                             static_cast<std::size_t>(posix::physical_memory() / 4)),
                         .settings = {.how = checked_start_method(options.start_method),
                                      .limits = limits,
                                      .output = options.output,
                                      .stderr_tail = options.stderr_tail},
                         .initializer = nullptr,
                         .initializer_arguments = {}},
                .terminate_grace = at_most_for_ever(options.terminate_grace),
                .error_handler = std::move(options.error_handler)};
    if (const auto most = job::checked_size(options.maxtasksperchild, "maxtasksperchild"))
        all.max_elements_per_worker = *most;
    return all;
}

/// What TaskOptions and MapOptions say of how elements are run.
template <class Options>
void apply_options(remote_job& job, const Options& options) {
    if (options.retries < 0) refuse("retries must be 0 or more, not ", std::to_string(options.retries));
    job.retries = static_cast<std::uint32_t>(options.retries);
    job.retry_exceptions = options.retry_exceptions;
    job.timeout = checked_limit(options.timeout, "timeout");
    if constexpr (requires { options.fail_fast; }) job.fail_fast = options.fail_fast;
}

}  // namespace procpool::detail::backend

#endif
