// SPDX-License-Identifier: MIT
// The door to pools of worker processes: all that a file which makes one needs to know of them.
#ifndef PROCPOOL_DETAIL_PROCESS_MAKE_POOL_HPP
#define PROCPOOL_DETAIL_PROCESS_MAKE_POOL_HPP

#include <functional>
#include <memory>
#include <optional>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::process {

/// What each new worker runs before anything else.
struct pool_initializer {
    std::shared_ptr<scheduler::remote_job> job;
    scheduler::block arguments;
};

/// The initializer is made, if one is wanted, when the options are known to make sense.
/// @throws std::invalid_argument, BootstrapError, std::system_error
template <class = only_if_used>
std::shared_ptr<scheduler::pool_backend> make_pool(
    PoolOptions options, const std::function<pool_initializer()>& make_initializer = {});

/// With so many workers, or as many as there are by default.
template <class = only_if_used>
std::shared_ptr<scheduler::pool_backend> make_pool_of(std::optional<int> processes);

}  // namespace procpool::inline v0_1::detail::process

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/process/make_pool_impl.hpp"
#endif

#endif
