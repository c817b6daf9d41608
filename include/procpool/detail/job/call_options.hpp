// SPDX-License-Identifier: MIT
// The options of calls: refused if they make no sense, and in the terms of the backend.
#ifndef PROCPOOL_DETAIL_JOB_CALL_OPTIONS_HPP
#define PROCPOOL_DETAIL_JOB_CALL_OPTIONS_HPP

#include <chrono>
#include <optional>
#include <string>

#include "procpool/detail/job/job.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::job {

/// The time limit of what has none.
inline constexpr std::chrono::nanoseconds no_limit = std::chrono::nanoseconds::max();

/// @throws std::invalid_argument("procpool: ...")
[[noreturn]] void refuse(const char* what, const std::string& got = {});

/// So that a moment plus this is no overflow.
std::chrono::nanoseconds at_most_for_ever(std::chrono::nanoseconds time) noexcept;

/// @throws std::invalid_argument
std::chrono::nanoseconds checked_limit(const std::optional<std::chrono::nanoseconds>& limit,
                                       const char* name);

/// The soft limit of elements, which is not to be longer than the other one. @throws std::invalid_argument
template <class Options>
std::chrono::nanoseconds checked_soft_limit(const Options& options) {
    if (options.soft_timeout && options.timeout && *options.soft_timeout >= *options.timeout)
        refuse("soft_timeout must be shorter than timeout, which leaves no time to stop otherwise");
    return checked_limit(options.soft_timeout, "soft_timeout");
}

/// What TaskOptions say in plain values. Calls that agree on them may share a job.
struct plain_options {
    std::optional<std::chrono::nanoseconds> timeout;
    std::optional<std::chrono::nanoseconds> cpu_timeout;
    int retries = 0;
    bool retry_exceptions = false;
    bool operator==(const plain_options&) const = default;
};
/// Nothing if they say more.
std::optional<plain_options> as_plain(const TaskOptions& options);

/// What TaskOptions and MapOptions say of how elements are run; but for their time limit, which not all kinds
/// of jobs can have. @throws std::invalid_argument
void apply_options_but_timeout(basic_job& job, const TaskOptions& options);
void apply_options_but_timeout(basic_job& job, const MapOptions& options);

}  // namespace procpool::inline v0_1::detail::job

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/call_options_impl.hpp"
#endif

#endif
