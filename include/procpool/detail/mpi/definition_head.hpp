// SPDX-License-Identifier: MIT
// What stands before the definition of a job that goes to another machine.
#ifndef PROCPOOL_DETAIL_MPI_DEFINITION_HEAD_HPP
#define PROCPOOL_DETAIL_MPI_DEFINITION_HEAD_HPP

#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/retry_policy.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// Its settings, and what describes an element.
inline wire::buffer head_of_definition(const scheduler::remote_job& job) {
    const RetryPolicy at_once;
    const RetryPolicy& policy = job.retry_policy ? *job.retry_policy : at_once;
    const job_settings settings{.chunk = job.chunk,
                                .timeout_ns = job.timeout.count(),
                                .cpu_timeout_ns = job.cpu_timeout.count(),
                                .soft_timeout_ns = job.soft_timeout.count(),
                                .retries = job.retries,
                                .retry_exceptions = job.retry_exceptions,
                                .retry_delay_ns = policy.delay.count(),
                                .longest_retry_delay_ns = policy.longest_delay.count(),
                                .retry_backoff = policy.backoff,
                                .retry_jitter = policy.jitter,
                                .guided = job.guided,
                                .bulk = job.bulk,
                                .keeps_its_place = job.keeps_its_place,
                                .once = job.once()};
    wire::buffer bytes;
    bytes.append_value(settings);
    bytes.append_value(job.describer() != nullptr);
    if (job.describer()) wire::encode_function(bytes, job.describer());
    return bytes;
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
