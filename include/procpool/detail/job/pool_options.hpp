// SPDX-License-Identifier: MIT
// The options that pools of both kinds have: refused if they make no sense.
#ifndef PROCPOOL_DETAIL_JOB_POOL_OPTIONS_HPP
#define PROCPOOL_DETAIL_JOB_POOL_OPTIONS_HPP

#include <atomic>
#include <cstdint>
#include <string>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/pending_calls.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cpu.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::job {

/// How many workers. @throws std::invalid_argument
template <class = only_if_used>
std::uint32_t checked_workers(const PoolOptions& options) {
    const int workers =
        options.processes ? *options.processes : os::limit_to_cgroup_quota(os::affinity_count());
    if (workers < 1) refuse("Number of processes must be at least 1, not ", std::to_string(workers));
    return static_cast<std::uint32_t>(workers);
}

/// What elements' random numbers begin with: if nothing else is wanted, something that no other pool has.
template <class = only_if_used>
std::uint64_t seed_of(const PoolOptions& options) noexcept {
    if (options.seed) return *options.seed;
    static std::atomic<std::uint64_t> pools{0};
    return static_cast<std::uint64_t>(steady_ns()) * 0x9E3779B97F4A7C15u ^
           static_cast<std::uint64_t>(os::current_pid()) << 32 ^
           pools.fetch_add(1, std::memory_order_relaxed);
}

/// @throws std::invalid_argument
template <class Options>
pending_limits checked_pending(const Options& options) {
    if (options.max_pending == 0 || options.max_pending_bytes == 0)
        refuse("max_pending and max_pending_bytes must be 1 or more");
    return {.calls = options.max_pending.value_or(pending_limits::none),
            .bytes = options.max_pending_bytes.value_or(pending_limits::none)};
}

/// @throws std::invalid_argument
template <class = only_if_used>
int checked_nice(const WorkerLimits& limits) {
    constexpr int most = 19;
    if (limits.nice < 0 || limits.nice > most)
        refuse("limits.nice must be from 0 to 19, not ", std::to_string(limits.nice));
    return limits.nice;
}

}  // namespace procpool::inline v0_1::detail::job

#endif
