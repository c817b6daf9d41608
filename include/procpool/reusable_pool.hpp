// SPDX-License-Identifier: MIT
// A pool that all parts of a program share, so that it is started once.
#ifndef PROCPOOL_REUSABLE_POOL_HPP
#define PROCPOOL_REUSABLE_POOL_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>

#include "procpool/cpu_count.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/options.hpp"
#include "procpool/pool.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1 {
namespace detail {

/// What reusable_pool() has made in this process.
struct reused_pool {
    const os::fork_stamp made{};
    detail::mutex mutex;
    std::shared_ptr<Pool> pool PROCPOOL_GUARDED_BY(mutex);
};

/// Ends it with the program. Constant from the start, so no lock of its own could be copied by a fork.
class reused_pool_owner {
public:
    constexpr reused_pool_owner() = default;
    reused_pool_owner(const reused_pool_owner&) = delete;
    reused_pool_owner& operator=(const reused_pool_owner&) = delete;
    ~reused_pool_owner() {
        reused_pool* const one = current_.load(std::memory_order_acquire);
        if (!one || !one->made.is_here()) return;
        const mutex_guard lock(one->mutex);
        one->pool.reset();
    }

    /// In a forked child a new one: of what the child has a copy the lock may be held for ever.
    reused_pool& get() {
        reused_pool* one = current_.load(std::memory_order_acquire);
        if (one && one->made.is_here()) return *one;
        auto made = std::make_unique<reused_pool>();
        if (!current_.compare_exchange_strong(one, made.get(), std::memory_order_acq_rel)) return *one;
        return *made.release();
    }

private:
    std::atomic<reused_pool*> current_{nullptr};
};
inline constinit reused_pool_owner the_reused_pool;

}  // namespace detail

/// The pool that all parts of this program share: the first call makes it, later ones cost nothing. It is
/// what loky's get_reusable_executor is in Python, for a program that has small calls in many places.
///
/// With another number of `processes` it is resized; without one it stays as it is, and begins with
/// cpu_count(). If it was closed or terminated, or has failed, the next call makes another one; what is at
/// hand in the old one is not affected while somebody has it. Its workers leave after ten seconds without
/// calls, and come back with the next. It ends with the program, or by end_reusable_pool().
///
/// Workers that are forked see the program's memory as it was when the pool was made, not when this is
/// called: what has changed since goes to them as an argument. In a task or a forked child it is a pool of
/// that process's own. May be called by several threads.
/// @throws std::invalid_argument unless `processes` is 1 or more; BootstrapError, std::system_error
template <class = detail::only_if_used>
std::shared_ptr<Pool> reusable_pool(std::optional<int> processes = {}) {
    if (processes && *processes < 1)
        throw std::invalid_argument("procpool: a reusable_pool has 1 process or more");
    detail::reused_pool& shared = detail::the_reused_pool.get();
    const detail::mutex_guard lock(shared.mutex);
    if (shared.pool && shared.pool->state() == pool_state::running) {
        if (!processes || static_cast<std::size_t>(*processes) == shared.pool->size()) return shared.pool;
        try {
            shared.pool->resize(*processes);
            return shared.pool;
        } catch (const std::invalid_argument&) {  // it has no room for so many
        }
    }
    const int most = cpu_count();
    shared.pool.reset();
    shared.pool = std::make_shared<Pool>(PoolOptions{.processes = processes.value_or(most),
                                                     .max_processes = std::max(most, processes.value_or(0)),
                                                     .idle_timeout = std::chrono::seconds(10)});
    return shared.pool;
}

/// Ends the pool of reusable_pool() when nobody has it any more. The next call makes another one, whose
/// workers see the program's memory as it is then.
template <class = detail::only_if_used>
void end_reusable_pool() {
    detail::reused_pool& shared = detail::the_reused_pool.get();
    const detail::mutex_guard lock(shared.mutex);
    shared.pool.reset();
}

}  // namespace procpool::inline v0_1

#endif
