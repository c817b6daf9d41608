// SPDX-License-Identifier: MIT
// The door to calls that a stop token cancels.
#ifndef PROCPOOL_DETAIL_CALL_CANCEL_ON_STOP_HPP
#define PROCPOOL_DETAIL_CALL_CANCEL_ON_STOP_HPP

#include <memory>
#include <stop_token>

#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::call {

/// For the rest of the job's life, a request to stop cancels it.
template <class = only_if_used>
void cancel_on_stop(const std::shared_ptr<job::runner>& pool, const std::shared_ptr<job::basic_job>& job,
                    const std::stop_token& stop) PROCPOOL_EXCLUDES(pool_mutex);

}  // namespace procpool::inline v0_1::detail::call

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/call/cancel_on_stop_impl.hpp"
#endif

#endif
