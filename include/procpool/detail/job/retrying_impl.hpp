// SPDX-License-Identifier: MIT
// How long to wait for the next attempt.
#ifndef PROCPOOL_DETAIL_JOB_RETRYING_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_RETRYING_IMPL_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/retry_policy.hpp"

namespace procpool::inline v0_1::detail::job {

inline void check_policy(const RetryPolicy& policy) {
    if (policy.delay.count() < 0) refuse("RetryPolicy::delay must not be negative");
    if (policy.longest_delay.count() < 0) refuse("RetryPolicy::longest_delay must not be negative");
    if (!(policy.backoff >= 1) || !std::isfinite(policy.backoff))  // or no number
        refuse("RetryPolicy::backoff must be 1 or more, not ", std::to_string(policy.backoff));
    if (!(policy.jitter >= 0 && policy.jitter <= 1))
        refuse("RetryPolicy::jitter must be from 0 to 1, not ", std::to_string(policy.jitter));
}

PROCPOOL_COMPILED_APART void apply_retries(basic_job& job, const Retries& retries, bool retry_exceptions) {
    if (retries.times() < 0) refuse("retries must be 0 or more, not ", std::to_string(retries.times()));
    job.retries = static_cast<std::uint32_t>(retries.times());
    job.retry_exceptions = retry_exceptions;
    if (!retries.policy()) return;
    check_policy(*retries.policy());
    job.retry_policy = retries.policy();
    job.retry_exceptions = retry_exceptions || depends_on_error(job);
}

PROCPOOL_COMPILED_APART std::chrono::nanoseconds delay_after(const basic_job& job,
                                                             std::uint64_t failures) noexcept {
    if (!has_delays(job)) return std::chrono::nanoseconds(0);
    const RetryPolicy& policy = *job.retry_policy;
    constexpr double longest = 3e18;  // a century; more is no number of nanoseconds
    const double most = std::min(static_cast<double>(policy.longest_delay.count()), longest);
    const double full = std::min(static_cast<double>(policy.delay.count()) *
                                     std::pow(policy.backoff, static_cast<double>(failures) - 1),
                                 most);
    static std::atomic<std::uint64_t> delays{0};
    const std::uint64_t drawn = (static_cast<std::uint64_t>(steady_ns()) +
                                 delays.fetch_add(1, std::memory_order_relaxed) * 0xD1B54A32D192ED03u) *
                                0x9E3779B97F4A7C15u;
    const double chance = static_cast<double>(drawn >> 11) * 0x1p-53;  // from 0 to 1
    return std::chrono::nanoseconds(static_cast<std::int64_t>(full * (1 - policy.jitter * chance)));
}

}  // namespace procpool::inline v0_1::detail::job

#endif
