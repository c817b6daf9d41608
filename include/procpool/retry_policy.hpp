// SPDX-License-Identifier: MIT
// RetryPolicy: which elements that have failed run again, when, and how often.
#ifndef PROCPOOL_RETRY_POLICY_HPP
#define PROCPOOL_RETRY_POLICY_HPP

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace procpool::inline v0_1 {

/// `{.retries = mp::RetryPolicy{.times = 5, .delay = 100ms, .backoff = 2, .jitter = 0.5}}`
struct RetryPolicy {
    /// Times that an element is run again, 0 or more.
    int times = 3;
    /// Time from a failure to the next attempt. No worker waits for that: other elements run meanwhile.
    std::chrono::nanoseconds delay{0};
    /// Each further delay of an element is so many times the one before, 1 or more.
    double backoff = 1;
    /// No delay is longer.
    std::chrono::nanoseconds longest_delay = std::chrono::minutes(1);
    /// The part of each delay that is left to chance, 0 to 1: with 0.5 it is between half of it and all of
    /// it.
    double jitter = 0;
    /// Says for each error whether it is worth another attempt; if it is given, exceptions of the task are
    /// asked about, too. Called in this process by a thread of the pool or of a caller, one at a time, but in
    /// a ThreadPool by several threads at once. It can't wait for the pool. If it throws, that goes to
    /// PoolOptions::error_handler, and the answer is no. Not in mpi::Pool.
    std::function<bool(const std::exception_ptr&)> when = {};
};

/// What the option `retries` takes: a number, or a RetryPolicy.
class Retries {
public:
    /// So many times, at once, after deaths and time limits.
    Retries(int times = 0) noexcept : times_(times) {}
    /// As the policy says.
    Retries(RetryPolicy policy)
        : times_(policy.times), policy_(std::make_shared<const RetryPolicy>(std::move(policy))) {}

    /// The largest number of them.
    int times() const noexcept { return times_; }
    /// Null if there is only a number.
    const std::shared_ptr<const RetryPolicy>& policy() const noexcept { return policy_; }

private:
    int times_;
    std::shared_ptr<const RetryPolicy> policy_;
};

}  // namespace procpool::inline v0_1

#endif
