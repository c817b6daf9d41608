// SPDX-License-Identifier: MIT
// Refuses sizes of chunks that make no sense.
#ifndef PROCPOOL_DETAIL_JOB_CHUNKING_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_CHUNKING_IMPL_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/chunking.hpp"

namespace procpool::inline v0_1::detail::job {

PROCPOOL_COMPILED_APART std::optional<std::uint64_t> checked_size(const std::optional<std::ptrdiff_t>& given,
                                                                  const char* name) {
    if (!given) return std::nullopt;
    if (*given < 1)
        throw std::invalid_argument("procpool: " + std::string(name) + " must be 1 or more, not " +
                                    std::to_string(*given));
    return static_cast<std::uint64_t>(*given);
}

}  // namespace procpool::inline v0_1::detail::job

#endif
