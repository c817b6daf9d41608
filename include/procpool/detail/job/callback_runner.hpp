// SPDX-License-Identifier: MIT
// Runs the user's callbacks and tells of what they throw.
#ifndef PROCPOOL_DETAIL_JOB_CALLBACK_RUNNER_HPP
#define PROCPOOL_DETAIL_JOB_CALLBACK_RUNNER_HPP

#include <cstdio>
#include <exception>
#include <functional>
#include <utility>

#include "procpool/detail/job/poll_hook.hpp"

namespace procpool::inline v0_1::detail::job {

class callback_runner {
public:
    using error_handler = std::function<void(std::exception_ptr)>;
    /// Errors go to `handler`, or if there is none to stderr.
    explicit callback_runner(error_handler handler) : handler_(std::move(handler)) {}
    callback_runner(const callback_runner&) = delete;
    callback_runner& operator=(const callback_runner&) = delete;

    /// @param who it is, for the message @return whether it has not thrown
    template <class Callback>
    bool run(const Callback& callback, const char* who = "a callback or a finalizer") const noexcept {
        const job::poll_hook::without interruptions;  // of the wait in which this thread runs it
        const callback_runner* const before = std::exchange(running(), this);
        bool good = true;
        try {
            callback();
        } catch (...) {
            good = false;
            report(std::current_exception(), who);
        }
        running() = before;
        return good;
    }

    /// Whether this thread is in a callback that run() has called.
    bool running_here() const noexcept { return running() == this; }

private:
    static const callback_runner*& running() noexcept {
        thread_local const callback_runner* runner = nullptr;
        return runner;
    }

    void report(const std::exception_ptr& error, const char* who) const noexcept {
        try {
            if (handler_) {
                handler_(error);
                return;
            }
            std::rethrow_exception(error);
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "procpool: %s threw: %s\n", who, problem.what());
        } catch (...) {
            std::fprintf(stderr, "procpool: %s threw something that is no std::exception\n", who);
        }
    }

    const error_handler handler_;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
