// SPDX-License-Identifier: MIT
// A pool that all parts of a program share, so that it is started once.
#ifndef PROCPOOL_REUSABLE_POOL_HPP
#define PROCPOOL_REUSABLE_POOL_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "procpool/cpu_count.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/error.hpp"
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
    bool is_over PROCPOOL_GUARDED_BY(mutex) = false;  // the program ends

    /// A pool ends without the lock: callbacks of its calls run then, and may want another one.
    std::shared_ptr<Pool> take(bool for_ever = false) {
        const mutex_guard lock(mutex);
        is_over = is_over || for_ever;
        return std::exchange(pool, nullptr);
    }

    /// Without a lock of its own, which a fork could copy. In a forked child it is a new one: of what the
    /// child has a copy the lock may be held for ever.
    static reused_pool& here() {
        reused_pool* one = current.load(std::memory_order_acquire);
        if (one && one->made.is_here()) return *one;
        auto made = std::make_unique<reused_pool>();
        if (!current.compare_exchange_strong(one, made.get(), std::memory_order_acq_rel)) return *one;
        return *made.release();
    }
    /// The pool ends before what was there when the first one was made: callbacks may use that.
    static void end_with_program() {
        // Where there is no room for it workers end with the program all the same.
        if (!is_registered.exchange(true)) std::atexit(end);
    }

private:
    static void end() {
        reused_pool* const one = current.load(std::memory_order_acquire);
        if (one && one->made.is_here()) one->take(true);
    }

    inline static constinit std::atomic<reused_pool*> current{nullptr};
    inline static constinit std::atomic<bool> is_registered{false};
};

}  // namespace detail

/// The pool that all parts of this program share: the first call makes it, later ones cost nothing. It is
/// what loky's get_reusable_executor is in Python, for a program that has small calls in many places.
///
/// With another number of `processes` it is resized; without one it stays as it is, and begins with
/// cpu_count(). The next call makes another one if it was closed or terminated, or has failed, or has no room
/// for so many (there is some for two times cpu_count()); calls at hand in the old one end with
/// PoolTerminated unless somebody has that pool still. So keep it for as long as a handle of a call. Its
/// workers leave after ten seconds without calls, and come back with the next. It ends with the program, or
/// by end_reusable_pool().
///
/// Workers that are forked see the program's memory as it was when the pool was made, not when this is
/// called: what has changed since goes to them as an argument. In a worker process or a forked child it is a
/// pool of that process's own. May be called by several threads.
/// @throws std::invalid_argument unless `processes` is 1 or more; PoolNotRunning while the program ends;
/// BootstrapError, std::system_error
template <class = detail::only_if_used>
std::shared_ptr<Pool> reusable_pool(std::optional<int> processes = {}) {
    if (processes && *processes < 1)
        throw std::invalid_argument("procpool: a reusable_pool has 1 process or more");
    detail::reused_pool& shared = detail::reused_pool::here();
    std::shared_ptr<Pool> old;  // ends after the lock is given back
    const detail::mutex_guard lock(shared.mutex);
    if (shared.is_over)
        throw PoolNotRunning("procpool: there is no reusable_pool any more: the program ends");
    if (shared.pool && shared.pool->state() == pool_state::running) {
        if (!processes || static_cast<std::size_t>(*processes) == shared.pool->size()) return shared.pool;
        try {
            shared.pool->resize(*processes);
            return shared.pool;
        } catch (const std::invalid_argument&) {  // it has no room for so many
        } catch (...) {
            if (shared.pool->state() == pool_state::running) throw;  // else somebody has ended it meanwhile
        }
    }
    old = std::exchange(shared.pool, nullptr);
    const int usual = cpu_count();
    shared.pool =
        std::make_shared<Pool>(PoolOptions{.processes = processes.value_or(usual),
                                           .max_processes = std::max(2 * usual, processes.value_or(0)),
                                           .idle_timeout = std::chrono::seconds(10)});
    detail::reused_pool::end_with_program();
    return shared.pool;
}

/// Ends the pool of reusable_pool() when nobody has it any more. The next call makes another one, whose
/// workers see the program's memory as it is then.
template <class = detail::only_if_used>
void end_reusable_pool() {
    detail::reused_pool::here().take();
}

}  // namespace procpool::inline v0_1

#endif
