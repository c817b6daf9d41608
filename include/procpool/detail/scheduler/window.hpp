// SPDX-License-Identifier: MIT
// How much work a worker gets ahead.
#ifndef PROCPOOL_DETAIL_SCHEDULER_WINDOW_HPP
#define PROCPOOL_DETAIL_SCHEDULER_WINDOW_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "procpool/detail/flush_policy.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// How many elements of `job` a worker has at most.
inline std::uint64_t window_of_worker(const remote_job& job) noexcept {
    const auto ahead_ns = static_cast<double>(flush_policy_for(job.bulk).ahead.count());
    constexpr double long_chunk_ns = 20e6;
    const double most_elements = job.guided ? 32768 : 8192;
    const std::uint64_t chunk = job.chunk;
    if (!job.timing->known()) return chunk;
    const double mean = job.timing->mean_ns();
    if (mean * static_cast<double>(chunk) >= long_chunk_ns) return chunk;
    return std::max(2 * chunk, static_cast<std::uint64_t>(std::min(ahead_ns / mean, most_elements)));
}

/// How many elements of `job` to give to one of `workers` workers, that has `out` elements of `out_bytes`
/// already and may take `may_take` more; 0 if it has enough.
inline std::uint64_t elements_to_give(const remote_job& job, std::size_t workers, std::uint64_t out,
                                      std::size_t out_bytes, std::uint64_t may_take) noexcept {
    constexpr std::size_t most_bytes = 256 * 1024;
    if (out > 0 && out_bytes >= most_bytes) return 0;
    const std::uint64_t chunk = job.chunk;
    const std::uint64_t window = window_of_worker(job);
    if (out >= window) return 0;
    // Towards the end everybody gets a share of what is left.
    const std::uint64_t left = job.ready_elements + job.expected;
    const std::uint64_t share = std::max(chunk, job::guided_chunksize(left, workers));
    const std::uint64_t count = std::min({window - out, share, may_take});
    return std::max(chunk, count / chunk * chunk);
}

/// The same for a peer that has `here` workers of all `workers`, and what it got is spread over them.
inline std::uint64_t elements_to_give(const remote_job& job, std::size_t workers, std::size_t here,
                                      std::uint64_t out, std::size_t out_bytes,
                                      std::uint64_t may_take) noexcept {
    if (here == 1) return elements_to_give(job, workers, out, out_bytes, may_take);
    const std::uint64_t all = here * elements_to_give(job, workers, out / here, out_bytes / here, may_take);
    if (all == 0) return 0;
    // Where most workers have enough it is for the others only.
    const std::uint64_t room = here * window_of_worker(job) - out;
    return std::min(all, std::max(job.chunk, room / job.chunk * job.chunk));
}

/// How many elements of `job` a worker claims at a time: they can't be taken back any more, and share the
/// cost of that. Where it was said what goes together no others do, since they may wait for one another.
inline std::uint32_t elements_together(const remote_job& job) noexcept {
    constexpr double soon_ns = 20e3;
    constexpr double most = 1024;
    const double together = !job.guided           ? static_cast<double>(job.chunk)
                            : job.timing->known() ? std::min(soon_ns / job.timing->mean_ns(), most)
                                                  : 1;
    constexpr std::uint32_t largest = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::clamp<double>(together, 1, largest));
}

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
