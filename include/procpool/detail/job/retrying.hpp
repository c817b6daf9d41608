// SPDX-License-Identifier: MIT
// What a retry policy says of one element that has failed.
#ifndef PROCPOOL_DETAIL_JOB_RETRYING_HPP
#define PROCPOOL_DETAIL_JOB_RETRYING_HPP

#include <chrono>
#include <cstdint>
#include <exception>

#include "procpool/detail/job/job.hpp"
#include "procpool/retry_policy.hpp"

namespace procpool::inline v0_1::detail::job {

/// @throws std::invalid_argument
void apply_retries(basic_job& job, const Retries& retries, bool retry_exceptions);

/// Whether its error decides if there is another attempt.
inline bool depends_on_error(const basic_job& job) noexcept {
    return job.retry_policy && job.retry_policy->when;
}
/// Whether some attempts are made later than at once.
inline bool has_delays(const basic_job& job) noexcept {
    return job.retry_policy && job.retry_policy->delay.count() > 0;
}
/// The time until the attempt after `failures` others.
std::chrono::nanoseconds delay_after(const basic_job& job, std::uint64_t failures) noexcept;

}  // namespace procpool::inline v0_1::detail::job

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/retrying_impl.hpp"
#endif

#endif
