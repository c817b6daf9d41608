// SPDX-License-Identifier: MIT
// How much work a worker gets ahead.
#ifndef PROCPOOL_DETAIL_BACKEND_WINDOW_HPP
#define PROCPOOL_DETAIL_BACKEND_WINDOW_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "procpool/detail/backend/remote_job.hpp"

namespace procpool::detail::backend {

/// How many elements of `job` to give to one of `workers` workers, that has `out` elements of `out_bytes`
/// already and may take `may_take` more; 0 if it has enough.
inline std::uint64_t elements_to_give(const remote_job& job, std::size_t workers, std::uint64_t out,
                                      std::size_t out_bytes, std::uint64_t may_take) noexcept {
    // So much work ahead lets a worker go on while its results travel; more would only be missing elsewhere
    // when elements take unequal times.
    constexpr double ahead_ns = 1e6;
    constexpr double long_chunk_ns = 20e6;
    constexpr double most_elements = 8192;
    constexpr std::size_t most_bytes = 256 * 1024;
    if (out > 0 && out_bytes >= most_bytes) return 0;
    const std::uint64_t chunk = job.chunk;
    std::uint64_t window = chunk;  // one chunk, if nothing is known or chunks take long
    if (job.timing->known()) {
        const double mean = job.timing->mean_ns();
        if (mean * static_cast<double>(chunk) < long_chunk_ns)
            window =
                std::max(2 * chunk, static_cast<std::uint64_t>(std::min(ahead_ns / mean, most_elements)));
    }
    if (out >= window) return 0;
    // Towards the end everybody gets a share of what is left.
    const std::uint64_t left = job.ready_elements + job.expected;
    const std::uint64_t share = std::max<std::uint64_t>(chunk, left / (2 * workers));
    const std::uint64_t count = std::min({window - out, share, may_take});
    return std::max(chunk, count / chunk * chunk);
}

}  // namespace procpool::detail::backend

#endif
