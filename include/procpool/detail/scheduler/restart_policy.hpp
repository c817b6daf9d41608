// SPDX-License-Identifier: MIT
// How often workers that get nowhere are started again, and when.
#ifndef PROCPOOL_DETAIL_SCHEDULER_RESTART_POLICY_HPP
#define PROCPOOL_DETAIL_SCHEDULER_RESTART_POLICY_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>

#include "procpool/detail/clock.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Counts deaths in a row without progress, and starts in a row that failed. A worker that dies of its work
/// is replaced at once; workers that die before any work are replaced ever more slowly, and at last not at
/// all.
class restart_policy {
public:
    restart_policy(std::size_t workers, std::size_t limit) noexcept : workers_(workers), limit_(limit) {}

    void progress() noexcept { failures_ = 0; }
    void failure() noexcept { ++failures_; }
    void start() noexcept { failed_starts_ = 0; }
    void failed_start() noexcept { ++failed_starts_; }

    /// No use to go on.
    bool exhausted() const noexcept { return failures_ > limit_ || failed_starts_ > limit_; }

    /// Time to let pass before the next start. All workers may fail once before that counts as a pattern.
    std::chrono::milliseconds delay() const noexcept {
        if (failures_ <= workers_) return std::chrono::milliseconds(0);
        constexpr std::size_t most_doublings = 7;
        return std::chrono::milliseconds(1) * (1 << std::min(failures_ - workers_ - 1, most_doublings));
    }

    // ---- when missing workers are started

    /// Nothing if nobody is missing.
    const std::optional<steady_time>& due() const noexcept { return due_; }
    /// Somebody is missing. True once when the time to start has come.
    bool take_due(steady_time now) noexcept {
        if (!due_) schedule(now);
        if (now < *due_) return false;
        due_.reset();
        return true;
    }
    void schedule(steady_time now) noexcept { due_ = now + delay(); }
    /// What is missing may come back only after a while.
    void postpone(steady_time now) noexcept { due_ = now + std::chrono::milliseconds(100); }
    void cancel() noexcept { due_.reset(); }

private:
    std::optional<steady_time> due_;
    std::size_t workers_;
    std::size_t limit_;
    std::size_t failures_ = 0;
    std::size_t failed_starts_ = 0;
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
