// SPDX-License-Identifier: MIT
// The door to observers: how pools and calls get them.
#ifndef PROCPOOL_DETAIL_JOB_OBSERVE_HPP
#define PROCPOOL_DETAIL_JOB_OBSERVE_HPP

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::job {

/// It is told of all that begins from now on. @throws std::invalid_argument for null
template <class = only_if_used>
void add_observer(runner& pool, std::shared_ptr<Observer> one) PROCPOOL_REQUIRES(pool_mutex);

/// Before a new pool's workers start: it has these observers, and counts what its elements take if it is to
/// keep statistics.
template <class = only_if_used>
void observe_pool(runner& pool, std::vector<std::shared_ptr<Observer>> observers, bool keeps_statistics,
                  std::size_t workers) PROCPOOL_REQUIRES(pool_mutex);

/// Those of a pool that its options name. @throws std::invalid_argument, std::system_error
template <class = only_if_used>
std::vector<std::shared_ptr<Observer>> observers_of(const PoolOptions& options);

/// What the options of a call say, before it begins. @throws std::invalid_argument for null
template <class = only_if_used>
void observe_call(basic_job& call, const std::vector<std::shared_ptr<Observer>>& observers,
                  const std::string& name);

}  // namespace procpool::inline v0_1::detail::job

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/observe_impl.hpp"
#endif

#endif
