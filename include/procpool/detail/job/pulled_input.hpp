// SPDX-License-Identifier: MIT
// An input that is pulled while its results are taken, as join() sees it.
#ifndef PROCPOOL_DETAIL_JOB_PULLED_INPUT_HPP
#define PROCPOOL_DETAIL_JOB_PULLED_INPUT_HPP

#include <thread>

#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1::detail::job {

/// Belongs to the thread that takes the results. While that waits in join() nobody takes any, so join() pulls
/// what is left, until another thread begins to take them.
class pulled_input {
public:
    pulled_input(const pulled_input&) = delete;
    pulled_input& operator=(const pulled_input&) = delete;

    /// Whether more should be pulled for the workers; by the thread that it belongs to.
    virtual bool wants_more() const PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Pulls and submits some.
    virtual void pull_more() PROCPOOL_EXCLUDES(pool_mutex) = 0;

    /// Guarded by the runner's lock; the owner may read it without that, since only owners write it.
    std::thread::id owner = std::this_thread::get_id();
    bool in_use PROCPOOL_GUARDED_BY(pool_mutex) = false;  // join() pulls

protected:
    pulled_input() = default;
    ~pulled_input() = default;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
