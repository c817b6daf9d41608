// SPDX-License-Identifier: MIT
// std::stop_tokens for tasks that take one.
#ifndef PROCPOOL_DETAIL_WORKER_STOP_WATCH_HPP
#define PROCPOOL_DETAIL_WORKER_STOP_WATCH_HPP

#include <atomic>
#include <cstdint>
#include <stop_token>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/futex.hpp"

namespace procpool::inline v0_1::detail::worker {

/// A thread in a worker that sleeps until its pool asks an element to stop, and then requests that of the
/// element's token. It is started with the first task that takes one.
class stop_watch {
public:
    /// The token of the element that runs in this thread; one that never stops where nobody can ask.
    static std::stop_token token();
    /// In a new process, where there is no such thread.
    static void forget() noexcept { only() = nullptr; }

private:
    explicit stop_watch(const std::atomic<std::uint32_t>& asked) : asked_(asked) {}

    static stop_watch*& only() noexcept {
        static stop_watch* watch = nullptr;
        return watch;
    }
    void start();
    /// Of the element that has begun as the `begun`-th, if that is the word's lower half.
    std::stop_token begin(std::uint32_t begun);
    void request_if_asked();
    void run() noexcept;

    const std::atomic<std::uint32_t>& asked_;  // in the memory that is shared with the pool
    mutex mutex_;
    std::stop_source of_element_ PROCPOOL_GUARDED_BY(mutex_){std::nostopstate};
    std::uint32_t element_ PROCPOOL_GUARDED_BY(mutex_) = 0;
};

}  // namespace procpool::inline v0_1::detail::worker

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/worker/stop_watch_impl.hpp"
#endif

#endif
