// SPDX-License-Identifier: MIT
// What a thread does now and then while it waits for results.
#ifndef PROCPOOL_DETAIL_JOB_POLL_HOOK_HPP
#define PROCPOOL_DETAIL_JOB_POLL_HOOK_HPP

#include <chrono>
#include <functional>
#include <utility>

#include "procpool/detail/clock.hpp"

namespace procpool::inline v0_1::detail::job {

/// One thread's.
class poll_hook {
public:
    poll_hook(std::function<void()> poll, std::chrono::nanoseconds interval)
        : poll_(std::move(poll)), interval_(interval), next_(deadline_in(interval)) {}

    /// Of this thread; null if it has none.
    static poll_hook*& current() noexcept {
        thread_local constinit poll_hook* hook = nullptr;
        return hook;
    }

    /// When it is due.
    steady_time next() const noexcept { return next_; }
    bool is_due() const { return std::chrono::steady_clock::now() >= next_; }

    /// What it waits for itself doesn't call it again.
    void call() {
        const without none;
        poll_();
        next_ = deadline_in(interval_);
    }

    /// While this lives, this thread has no hook.
    class without {
    public:
        without() noexcept : hook_(std::exchange(current(), nullptr)) {}
        without(const without&) = delete;
        without& operator=(const without&) = delete;
        ~without() { current() = hook_; }

    private:
        poll_hook* const hook_;
    };

private:
    const std::function<void()> poll_;
    const std::chrono::nanoseconds interval_;
    steady_time next_;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
