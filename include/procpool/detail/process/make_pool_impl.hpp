// SPDX-License-Identifier: MIT
// What is behind the door to pools of worker processes.
#ifndef PROCPOOL_DETAIL_PROCESS_MAKE_POOL_IMPL_HPP
#define PROCPOOL_DETAIL_PROCESS_MAKE_POOL_IMPL_HPP

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/process/make_pool.hpp"
#include "procpool/detail/process/pool_options.hpp"
#include "procpool/detail/process/process_pool.hpp"

namespace procpool::inline v0_1::detail::process {

/// To be called when nobody holds the pool any more. The last may have been a callback, in a thread of the
/// pool's own: then another thread waits for its end.
template <class = only_if_used>
void end(process_pool* pool) {
    if (pool->is_copy()) return;  // a forked child lets go of its last handle: nothing here is its own
    if (!pool->is_own_thread()) {
        delete pool;
        return;
    }
    os::library_threads.fetch_add(1, std::memory_order_relaxed);
    std::thread([pool] {
        delete pool;
        os::library_threads.fetch_sub(1, std::memory_order_relaxed);
    }).detach();
}

template <class>
std::shared_ptr<scheduler::pool_backend> make_pool(
    PoolOptions options, const std::function<pool_initializer()>& make_initializer) {
    process_pool_options all = checked(std::move(options));
    if (make_initializer) {
        pool_initializer each_runs = make_initializer();
        all.workers.initializer = std::move(each_runs.job);
        all.workers.initializer_arguments = std::move(each_runs.arguments);
    }
    return {new process_pool(std::move(all)), &end<>};
}

template <class>
std::shared_ptr<scheduler::pool_backend> make_pool_of(std::optional<int> processes) {
    return make_pool(PoolOptions{.processes = processes});
}

}  // namespace procpool::inline v0_1::detail::process

#endif
