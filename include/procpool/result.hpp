// SPDX-License-Identifier: MIT
// AsyncResult<T>: the handle of a call that goes on while the caller does something else.
#ifndef PROCPOOL_RESULT_HPP
#define PROCPOOL_RESULT_HPP

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/call_handle.hpp"
#include "procpool/detail/call/result_source.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/runner.hpp"

namespace procpool::inline v0_1 {

/// What apply_async(), map_async() and starmap_async() return; mirrors Python's AsyncResult.
///
/// All methods may be called from any thread. The work goes on when the handle is destroyed. A forked child
/// has a copy of the handle: there cancel() is false, and all else throws PoolNotRunning.
template <class T>
class [[nodiscard("without the handle nobody sees the call's error")]] AsyncResult {
public:
    AsyncResult(AsyncResult&&) noexcept = default;
    AsyncResult& operator=(AsyncResult&&) noexcept = default;

    /// Waits for the result.
    ///
    /// On a handle that is kept, it can be called again and refers to the result inside the handle (a
    /// move-only result is moved out, once). On a temporary or moved handle the result is moved out.
    /// @throws what the task threw; WorkerDied, PoolTerminated, TaskCancelled, ...
    decltype(auto) get() & {
        wait();
        return result();
    }
    /// The same for a handle that is not kept: the result is moved out.
    T get() && {
        wait();
        return take();
    }
    /// The same, but waits for a limited time. @throws TimeoutError if the time is over; the task goes on.
    template <class Rep, class Period>
    decltype(auto) get(std::chrono::duration<Rep, Period> timeout) & {
        wait_or_throw(timeout);
        return result();
    }
    /// The same for a handle that is not kept: the result is moved out.
    template <class Rep, class Period>
    T get(std::chrono::duration<Rep, Period> timeout) && {
        wait_or_throw(timeout);
        return take();
    }

    /// Waits until the result is there, whatever it is.
    void wait() const { call_.wait_until(detail::steady_time::max()); }
    /// Waits for a limited time; tells whether the result is there.
    template <class Rep, class Period>
    bool wait(std::chrono::duration<Rep, Period> timeout) const {
        return call_.wait_until(detail::deadline_in(timeout));
    }

    /// Waits until a stop is requested at the latest, which leaves the call alone (TaskOptions::stop ends
    /// it); tells whether the result is there.
    bool wait(const std::stop_token& stop) const { return call_.wait(stop); }

    /// Whether the result, or an error, is there.
    bool ready() const { return call_.ready(); }

    /// Waits until the call has ended and returns its error; null if there is none.
    std::exception_ptr exception() const {
        wait();
        return call_.error();
    }
    /// The same, but waits for a limited time. @throws TimeoutError if the time is over
    template <class Rep, class Period>
    std::exception_ptr exception(std::chrono::duration<Rep, Period> timeout) const {
        wait_or_throw(timeout);
        return call_.error();
    }

    /// Whether the call ended without an error. @throws ResultNotReady if it hasn't ended.
    bool successful() const { return call_.successful(); }

    /// Gives the call up: the result is TaskCancelled at once (or the error of an element that failed
    /// before), elements that have not begun won't run, and workers that still run some after 2 ms are ended
    /// and replaced. False if the result was there already.
    bool cancel() { return call_.cancel(); }

    /// Calls `function` with the result (or with nothing if that is void) once it is there; not after an
    /// error, and, as in Python, not for a map over nothing. It runs in a thread of the pool or of another
    /// caller, or at once in this one; what it throws goes to PoolOptions::error_handler. Returns *this.
    template <class F>
    AsyncResult& callback(F function) {
        static_assert(std::invocable<F&> || !std::is_void_v<T>,
                      "procpool: the callback of a void task takes nothing");
        add_callback([function = std::move(function)](source& from, std::uint64_t call) mutable {
            if (from.error(call)) return;
            if constexpr (std::is_void_v<T>)
                function();
            else
                function(std::as_const(from.value(call)));
        });
        return *this;
    }

    /// Calls `function` with the std::exception_ptr if the call ends with an error. Returns *this.
    template <std::invocable<std::exception_ptr> F>
    AsyncResult& error_callback(F function) {
        add_callback([function = std::move(function)](source& from, std::uint64_t call) mutable {
            if (const auto error = from.error(call)) function(error);
        });
        return *this;
    }

private:
    template <class Kind>
    friend class BasicPool;
    template <class U>
    friend class Future;
    using source = detail::call::result_source<T>;

    template <class Job>
    AsyncResult(std::shared_ptr<detail::job::runner> pool, std::shared_ptr<Job> job, std::uint64_t call = 0)
        : call_{std::move(pool), static_cast<source&>(*job), std::move(job), call} {}  // from left to right

    template <class Duration>
    void wait_or_throw(Duration timeout) const {
        call_.wait_or_throw(detail::deadline_in(timeout));
    }

    source& from() const noexcept { return static_cast<source&>(call_.ends()); }
    auto& value() const { return from().value(call_.call()); }

    decltype(auto) result() {
        call_.throw_error();
        if constexpr (std::is_void_v<T>)
            return;
        else if constexpr (std::is_copy_constructible_v<T>)
            return std::as_const(value());
        else
            return take();
    }
    T take() {
        call_.throw_error();
        if constexpr (!std::is_void_v<T>) {
            T taken = std::move(value());
            call_.ends().taken(call_.call());
            return taken;
        }
    }

    template <class F>
    void add_callback(F function) {
        // Shared, since std::function copies and the callback may be move-only.
        auto shared = std::make_shared<F>(std::move(function));
        call_.add_callback([job = call_.job(), from = &from(), call = call_.call(), shared] {
            if (!from->was_empty()) (*shared)(*from, call);
        });
    }

    detail::call::call_handle call_;
};

}  // namespace procpool::inline v0_1

#endif
