// SPDX-License-Identifier: MIT
// What a thread waits for.
#ifndef PROCPOOL_DETAIL_JOB_CONDITION_HPP
#define PROCPOOL_DETAIL_JOB_CONDITION_HPP

#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1::detail::job {

/// Refers to a function of the waiter's that returns whether it has come, and is called with the lock. So who
/// waits is compiled once, for whatever condition.
class condition {
public:
    template <class Ready>
    condition(const Ready& ready) noexcept
        : test_([](const void* what) PROCPOOL_REQUIRES(pool_mutex) {
              return static_cast<bool>((*static_cast<const Ready*>(what))());
          }),
          what_(&ready) {}

    bool operator()() const PROCPOOL_REQUIRES(pool_mutex) { return test_(what_); }

private:
    bool (*test_)(const void*);
    const void* what_;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
