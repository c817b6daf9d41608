// SPDX-License-Identifier: MIT
// What is behind the door to pools of worker processes.
#ifndef PROCPOOL_DETAIL_PROCESS_MAKE_POOL_IMPL_HPP
#define PROCPOOL_DETAIL_PROCESS_MAKE_POOL_IMPL_HPP

#include <memory>
#include <utility>

#include "procpool/detail/process/make_pool.hpp"
#include "procpool/detail/process/pool_options.hpp"
#include "procpool/detail/process/process_pool.hpp"

namespace procpool::detail::process {

template <class>
std::shared_ptr<scheduler::pool_backend> make_pool(PoolOptions options, pool_initializer initializer) {
    process_pool_options all = checked(std::move(options));
    all.workers.initializer = std::move(initializer.job);
    all.workers.initializer_arguments = std::move(initializer.arguments);
    return {new process_pool(std::move(all)), &process_pool::end};
}

}  // namespace procpool::detail::process

#endif
