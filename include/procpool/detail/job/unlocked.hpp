// SPDX-License-Identifier: MIT
// A stretch of code without the lock.
#ifndef PROCPOOL_DETAIL_JOB_UNLOCKED_HPP
#define PROCPOOL_DETAIL_JOB_UNLOCKED_HPP

#include <mutex>

namespace procpool::detail::job {

/// Lets a lock go that is held, and takes it again at its end, however that comes.
class unlocked {
public:
    explicit unlocked(std::unique_lock<std::mutex>& lock) : lock_(lock) { lock_.unlock(); }
    unlocked(const unlocked&) = delete;
    unlocked& operator=(const unlocked&) = delete;
    ~unlocked() { lock_.lock(); }

private:
    std::unique_lock<std::mutex>& lock_;
};

}  // namespace procpool::detail::job

#endif
