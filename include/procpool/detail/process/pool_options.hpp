// SPDX-License-Identifier: MIT
// The options of a pool of processes: refused if they make no sense, and in the terms of the backend.
#ifndef PROCPOOL_DETAIL_PROCESS_POOL_OPTIONS_HPP
#define PROCPOOL_DETAIL_PROCESS_POOL_OPTIONS_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/job/pool_options.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/available_memory.hpp"
#include "procpool/detail/os/cpu.hpp"
#include "procpool/detail/os/environment.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/process/process_pool.hpp"
#include "procpool/detail/zygote/starter.hpp"
#include "procpool/detail/zygote/surroundings.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::process {

/// CPUs that this process may use. Looked up once, since that reads files.
template <class = only_if_used>
int known_cpus() {
    static std::atomic<int> known{0};
    if (known.load(std::memory_order_relaxed) == 0)
        known.store(os::limit_to_cgroup_quota(os::affinity_count()), std::memory_order_relaxed);
    return known.load(std::memory_order_relaxed);
}

/// What workers find around them. @throws std::invalid_argument, std::system_error
template <class = only_if_used>
zygote::surroundings checked_surroundings(PoolOptions& options, std::uint32_t workers) {
    zygote::surroundings around;
    if (!options.working_directory.empty())
        around.directory = os::absolute_directory(options.working_directory, "working_directory");
    for (const auto& [name, value] : options.environment)
        if (name.empty() || name.find('=') != name.npos || name.find('\0') != name.npos ||
            (value && value->find('\0') != value->npos))
            job::refuse("environment must have names without = and values without zeros, unlike: ", name);
    if (options.inner_threads && *options.inner_threads < 1)
        job::refuse("inner_threads must be at least 1, not ", std::to_string(*options.inner_threads));
    around.variables = std::move(options.environment);
    around.inner_threads_by_default = !options.inner_threads;
    const int cpus = options.limits.pin_to_cpu ? 1 : known_cpus();
    around.inner_threads = options.inner_threads.value_or(std::max(1, cpus / static_cast<int>(workers)));
    return around;
}

/// Where bundles go, and what workers find around them. @throws std::system_error
template <class = only_if_used>
bundle_options checked_bundles(const PoolOptions& options, const zygote::surroundings& around) {
    if (options.bundles.empty()) return {};
    std::error_code error;
    std::filesystem::create_directories(options.bundles, error);  // if it can't, the next says so
    return {.folder = os::absolute_directory(options.bundles, "bundles"),
            .directory = around.directory.empty() ? os::absolute_directory(".", "bundles") : around.directory,
            .environment = around.environment()};
}

/// A template for the same reason as those that are only_if_used.
template <class Options = process_pool_options>
Options checked(PoolOptions options) {
    const std::uint32_t processes = job::checked_workers(options);
    const int most = options.max_processes.value_or(static_cast<int>(processes));
    if (most < static_cast<int>(processes))
        job::refuse(
            ("max_processes must be processes, " + std::to_string(processes) + ", or more, not ").c_str(),
            std::to_string(most));
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
    if (!os::can_fork && (options.preload || options.memory.reserve))
        job::refuse("preload and memory.reserve are not there yet on this system");
    if (options.terminate_grace.count() < 0) job::refuse("terminate_grace must not be negative");
    const auto finalizer_limit = job::checked_limit(options.finalizer_timeout, "finalizer_timeout");
    zygote::surroundings around = checked_surroundings(options, processes);
    bundle_options bundles = checked_bundles(options, around);
    Options all{.workers = {.count = processes,
                            .most = static_cast<std::uint32_t>(most),
                            .restart_limit = static_cast<std::size_t>(restart_limit),
                            .arena_limit = options.arena_limit.value_or(os::physical_memory() / 4),
                            .settings = {.how = zygote::checked_start_method(options.start_method),
                                         .limits = limits,
                                         .offers_memory = options.memory.reserve.has_value(),
                                         .output = options.output,
                                         .stderr_tail = options.stderr_tail,
                                         .keeps_children = options.keep_children,
                                         .seed = job::seed_of(options)},
                            .around = std::move(around),
                            .start_left_open = zygote::is_left_open(options.start_method),
                            .initializer = nullptr,
                            .initializer_arguments = {},
                            .quote_arguments = options.quote_arguments,
                            .bundles = std::move(bundles)},
                .terminate_grace = job::at_most_for_ever(options.terminate_grace),
                .error_handler = std::move(options.error_handler),
                .observers = job::observers_of(options),
                .keeps_statistics = options.statistics};
    if (options.memory.reserve)
        all.memory =
            scheduler::memory_reserve{*options.memory.reserve, [] { return os::available_memory(); }};
    if (const auto limit = job::checked_size(options.maxtasksperchild, "maxtasksperchild"))
        all.max_elements_per_worker = *limit;
    all.idle_timeout = job::checked_limit(options.idle_timeout, "idle_timeout");
    if (const auto& finalizer = options.finalizer.function()) {
        all.finalizer = finalizer->make_job(finalizer);
        all.finalizer->timeout = finalizer_limit;
    }
    return all;
}

}  // namespace procpool::inline v0_1::detail::process

#endif
