// SPDX-License-Identifier: MIT
// What holds a pool's lock.
#ifndef PROCPOOL_DETAIL_JOB_POOL_LOCK_HPP
#define PROCPOOL_DETAIL_JOB_POOL_LOCK_HPP

#include <mutex>

#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1::detail::job {

/// Until its end, but for where it lets go meanwhile.
class PROCPOOL_SCOPED_CAPABILITY pool_lock {
public:
    explicit pool_lock(std::mutex& of_pool) PROCPOOL_ACQUIRE(pool_mutex) : lock_(of_pool) {}
    pool_lock(const pool_lock&) = delete;
    pool_lock& operator=(const pool_lock&) = delete;
    ~pool_lock() PROCPOOL_RELEASE() = default;

    // Who holds the role can't be seen in here.
    void lock() PROCPOOL_ACQUIRE(pool_mutex) PROCPOOL_NO_THREAD_SAFETY_ANALYSIS { lock_.lock(); }
    void unlock() PROCPOOL_RELEASE(pool_mutex) PROCPOOL_NO_THREAD_SAFETY_ANALYSIS { lock_.unlock(); }

    bool owns_lock() const noexcept { return lock_.owns_lock(); }
    /// For a condition variable, which gives it back as it was.
    std::unique_lock<std::mutex>& native() noexcept { return lock_; }

private:
    std::unique_lock<std::mutex> lock_;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
