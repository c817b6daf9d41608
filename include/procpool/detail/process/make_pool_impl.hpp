// SPDX-License-Identifier: MIT
// What is behind the door to pools of worker processes.
#ifndef PROCPOOL_DETAIL_PROCESS_MAKE_POOL_IMPL_HPP
#define PROCPOOL_DETAIL_PROCESS_MAKE_POOL_IMPL_HPP

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "procpool/detail/job/finalizer.hpp"
#include "procpool/detail/job/preload.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/process/inline_pool.hpp"
#include "procpool/detail/process/make_pool.hpp"
#include "procpool/detail/process/pool_options.hpp"
#include "procpool/detail/process/process_pool.hpp"
#include "procpool/detail/worker/replay.hpp"
#include "procpool/detail/zygote/preload.hpp"

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

/// Whether tasks are to run in the calling thread, to be debugged there.
inline bool runs_inline(const PoolOptions& options) {
    if (options.processes == 0) return true;
    const char* const chosen = std::getenv("PROCPOOL_INLINE");
    return chosen && *chosen != '\0' && std::string_view(chosen) != "0";
}

template <class = only_if_used>
std::shared_ptr<scheduler::pool_backend> with_limits(std::shared_ptr<scheduler::pool_backend> pool,
                                                     const job::pending_limits& pending) {
    const auto lock = pool->acquire();
    pool->limit_pending(pending);
    return pool;
}

template <class>
std::shared_ptr<scheduler::pool_backend> make_pool(
    PoolOptions options, const std::function<pool_initializer()>& make_initializer) {
    if (const char* const file = worker::file_to_replay()) worker::replay(file);
    const bool is_inline = runs_inline(options);
    if (options.processes == 0) options.processes = 1;
    std::shared_ptr<const job::finalizer> finalizer = options.finalizer.function();
    const job::pending_limits pending = job::checked_pending(options);
    const std::shared_ptr<const job::preload> preload = options.preload.function();
    process_pool_options all = checked(std::move(options));
    if (is_inline) {
        if (preload) preload->call();
        inline_pool_options these{.error_handler = std::move(all.error_handler),
                                  .quote_arguments = all.workers.quote_arguments,
                                  .observers = std::move(all.observers),
                                  .keeps_statistics = all.keeps_statistics,
                                  .finalizer = std::move(finalizer),
                                  .seed = all.workers.settings.seed};
        if (make_initializer) {
            pool_initializer runs_first = make_initializer();
            these.initializer = std::move(runs_first.job);
            these.initializer_arguments = std::move(runs_first.arguments);
        }
        return with_limits(std::make_shared<inline_pool>(std::move(these)), pending);
    }
    if (preload) {
        all.workers.preload_file = zygote::file_of_preload(preload->encode(nullptr).bytes());
        all.workers.preload = preload;
    }
    if (make_initializer) {
        pool_initializer each_runs = make_initializer();
        all.workers.initializer = std::move(each_runs.job);
        all.workers.initializer_arguments = std::move(each_runs.arguments);
    }
    return with_limits(std::shared_ptr<scheduler::pool_backend>(new process_pool(std::move(all)), &end<>),
                       pending);
}

template <class>
std::shared_ptr<scheduler::pool_backend> make_pool_of(std::optional<int> processes) {
    return make_pool(PoolOptions{.processes = processes});
}

}  // namespace procpool::inline v0_1::detail::process

#endif
