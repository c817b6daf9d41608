// SPDX-License-Identifier: MIT
// How a call's input is cut into chunks.
#ifndef PROCPOOL_DETAIL_JOB_CHUNKING_HPP
#define PROCPOOL_DETAIL_JOB_CHUNKING_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace procpool::inline v0_1::detail::job {

/// The default of Python's Pool.map: four chunks a worker, rounded up.
inline std::uint64_t default_chunksize(std::uint64_t elements, std::size_t workers) {
    const std::uint64_t chunks = 4 * workers;
    return std::max<std::uint64_t>(1, elements / chunks + (elements % chunks != 0 ? 1 : 0));
}

/// Of `left` elements that nobody has got, how many one of `workers` gets next: half of its share, so that
/// pieces are large first and small at the end, and all workers end at about the same time.
inline std::uint64_t guided_chunksize(std::uint64_t left, std::size_t workers) noexcept {
    return std::max<std::uint64_t>(1, left / (2 * workers));
}

/// `given` if it makes sense. @throws std::invalid_argument if it is less than 1.
std::optional<std::uint64_t> checked_size(const std::optional<std::ptrdiff_t>& given, const char* name);

}  // namespace procpool::inline v0_1::detail::job

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/chunking_impl.hpp"
#endif

#endif
