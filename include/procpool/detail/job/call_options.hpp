// SPDX-License-Identifier: MIT
// The options of calls: refused if they make no sense, and in the terms of the backend.
#ifndef PROCPOOL_DETAIL_JOB_CALL_OPTIONS_HPP
#define PROCPOOL_DETAIL_JOB_CALL_OPTIONS_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "procpool/detail/job/job.hpp"
#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::job {

/// The time limit of what has none.
inline constexpr std::chrono::nanoseconds no_limit = std::chrono::nanoseconds::max();

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

/// What TaskOptions and MapOptions say of how elements are run; but for their time limit, which not all kinds
/// of jobs can have.
template <class Options>
void apply_options_but_timeout(job::basic_job& job, const Options& options) {
    if (options.retries < 0) refuse("retries must be 0 or more, not ", std::to_string(options.retries));
    job.retries = static_cast<std::uint32_t>(options.retries);
    job.retry_exceptions = options.retry_exceptions;
    if constexpr (requires { options.fail_fast; }) job.fail_fast = options.fail_fast;
}

}  // namespace procpool::inline v0_1::detail::job

#endif
