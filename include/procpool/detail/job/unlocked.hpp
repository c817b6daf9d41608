// SPDX-License-Identifier: MIT
// A stretch of code without the lock.
#ifndef PROCPOOL_DETAIL_JOB_UNLOCKED_HPP
#define PROCPOOL_DETAIL_JOB_UNLOCKED_HPP

#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1::detail::job {

/// Lets a lock go that is held, and takes it again at its end, however that comes.
class PROCPOOL_SCOPED_CAPABILITY unlocked {
public:
    explicit unlocked(pool_lock& lock) PROCPOOL_RELEASE(pool_mutex) : lock_(lock) { lock_.unlock(); }
    unlocked(const unlocked&) = delete;
    unlocked& operator=(const unlocked&) = delete;
    ~unlocked() PROCPOOL_RELEASE() { lock_.lock(); }

private:
    pool_lock& lock_;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
