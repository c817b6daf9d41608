// SPDX-License-Identifier: MIT
// PoolControl: what all pools are asked and told, apart from calls.
#ifndef PROCPOOL_POOL_CONTROL_HPP
#define PROCPOOL_POOL_CONTROL_HPP

#include <cstddef>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/call/pool_owner.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1 {

template <class Kind>
class PoolControl;

namespace detail {
/// close(), also for calls at hand: no more elements of theirs come. If there is a `why`, those that have not
/// begun are cancelled with it.
template <class Kind>
void wind_up(PoolControl<Kind>& pool, const char* why) {
    auto& core = pool.core();
    auto lock = core.acquire();
    core.wind_up(why);
    core.leave(lock);
}
/// terminate(), but the workers are asked to end, and killed only if they don't.
template <class Kind>
void terminate_workers(PoolControl<Kind>& pool) {
    auto& core = pool.core();
    auto lock = core.acquire();
    const auto grace = core.ask_workers_to_end();
    core.wait(lock, [&]() PROCPOOL_REQUIRES(pool_mutex) { return !core.has_workers(); }, deadline_in(grace));
    core.terminate(lock);
}
}  // namespace detail

/// A pool's size, state and end; `Kind` says where tasks run.
///
/// All methods may be called from several threads, but only in the process that made the pool.
template <class Kind>
class PoolControl {
public:
    /// Number of workers.
    std::size_t size() const { return core().size(); }

    /// Where the pool is in its life.
    pool_state state() const {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        return pool.state();
    }
    /// With what the pool failed: pending calls got it, and new ones get it until the pool is closed; null
    /// unless the pool has failed.
    std::exception_ptr error() const {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        return pool.state() == pool_state::failed ? pool.failure() : nullptr;
    }

    /// What its workers have done so far: a Statistics, from <procpool/statistics.hpp>. A pool of several
    /// machines asks them, which takes a message there and back; of one that doesn't answer within a second
    /// it knows what that told last. @throws Error from a ThreadPool without PoolOptions::statistics
    auto stats() const {
        pool_type& pool = core();
        auto lock = pool.acquire();
        return pool.stats(lock);
    }

    /// What came of PoolOptions::finalizer in the workers that have left so far, in the order in which they
    /// left; all of them once join() has returned.
    std::vector<FinalizerResult> finalizer_results() const {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        return pool.finalizer_results();
    }

    /// An observer is told of what begins from now on; see Observer. May be called at any time.
    /// @throws std::invalid_argument for null
    void add_observer(std::shared_ptr<Observer> one) {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        detail::job::add_observer(pool, std::move(one));
    }

    // ---- the end

    /// Takes no more calls; those at hand go on. Harmless if called again.
    void close() {
        pool_type& pool = core();
        const auto lock = pool.acquire();
        pool.close();
    }
    /// Ends the workers now; every pending result ends with PoolTerminated. Harmless if called again.
    void terminate() {
        pool_type& pool = core();
        auto lock = pool.acquire();
        pool.terminate(lock);
    }
    /// Waits until all calls are done and the workers have ended. What this thread takes the results of, an
    /// imap(), is run to the end of its input, and its results can be taken afterwards.
    /// @throws PoolStillRunning if neither close() nor terminate() was called before
    void join() {
        pool_type& pool = core();
        auto lock = pool.acquire();
        pool.join(lock);
    }

protected:
    using pool_type = typename Kind::pool;

    PoolControl() = default;
    PoolControl(PoolControl&&) noexcept = default;
    PoolControl& operator=(PoolControl&&) noexcept = default;
    ~PoolControl() = default;

    void swap(PoolControl& other) noexcept { pool_.swap(other.pool_); }

    void start(std::shared_ptr<pool_type> pool) { pool_.start(std::move(pool)); }

    pool_type& core() const { return pool_.get(); }
    /// For those who wait for its results.
    const std::shared_ptr<pool_type>& shared() const noexcept { return pool_.shared(); }

private:
    friend void detail::wind_up<Kind>(PoolControl&, const char*);
    friend void detail::terminate_workers<Kind>(PoolControl&);

    detail::call::pool_owner<pool_type> pool_;
};

}  // namespace procpool::inline v0_1

#endif
