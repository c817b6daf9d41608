// SPDX-License-Identifier: MIT
// Future<T>: a call that an executor has taken on; mirrors Python's concurrent.futures.Future.
#ifndef PROCPOOL_FUTURE_HPP
#define PROCPOOL_FUTURE_HPP

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/error.hpp"
#include "procpool/result.hpp"

namespace procpool::inline v0_1 {

template <class T>
class Future;

namespace detail {
class completions;

/// A call that was started, as a future.
template <class T>
Future<T> future_of(AsyncResult<T> call) {
    return Future<T>(std::move(call));
}
}  // namespace detail

/// What submit() returns.
///
/// Copies are handles of the same call. All methods may be called from any thread; the call goes on when all
/// handles are gone. Handles can be compared, and be keys of std::unordered_map. A forked child has copies:
/// there cancel() is false, and all else throws PoolNotRunning.
template <class T>
class [[nodiscard("without the future nobody sees the call's error")]] Future {
public:
    using value_type = T;
    /// `const T&`, or void.
    using reference = typename std::conditional_t<std::is_void_v<T>, std::type_identity<void>,
                                                  std::add_lvalue_reference<const T>>::type;

    /// Waits for the result and refers to it: it lives as long as a handle of the call.
    /// @throws what the call threw; TaskCancelled, WorkerDied, ...
    reference result() const& {
        wait();
        return value();
    }
    /// Waits for the result and returns it: moved out if this is the last handle (or if it can't be copied),
    /// copied otherwise.
    T result() && {
        wait();
        return take();
    }
    /// The same, but waits for a limited time. @throws TimeoutError if the time is over; the call goes on.
    template <class Rep, class Period>
    reference result(std::chrono::duration<Rep, Period> timeout) const& {
        wait_or_throw(timeout);
        return value();
    }
    /// The same for the last handle: the result is moved out.
    template <class Rep, class Period>
    T result(std::chrono::duration<Rep, Period> timeout) && {
        wait_or_throw(timeout);
        return take();
    }

    /// Waits for the call's end, whatever it is.
    void wait() const { wait_until(detail::steady_time::max()); }
    /// The same for a limited time; tells whether the call is done.
    template <class Rep, class Period>
    bool wait(std::chrono::duration<Rep, Period> timeout) const {
        return wait_until(detail::deadline_in(timeout));
    }

    /// The same until a stop is requested at the latest, which leaves the call alone.
    bool wait(const std::stop_token& stop) const {
        pool().refuse_copy();
        const auto ended = [this] { return settled(); };
        const std::stop_callback wake(stop, [this] { pool().wake_waiters(); });
        auto lock = pool().acquire();
        pool().wait_or_poll(
            lock, [&] { return ended() || stop.stop_requested(); }, detail::steady_time::max(), job().get());
        return ended();
    }

    /// Waits for the call's end and returns what it threw; null if nothing.
    /// @throws TaskCancelled if it was cancelled
    std::exception_ptr exception() const {
        wait();
        return thrown();
    }
    /// The same, but waits for a limited time. @throws TimeoutError if the time is over
    template <class Rep, class Period>
    std::exception_ptr exception(std::chrono::duration<Rep, Period> timeout) const {
        wait_or_throw(timeout);
        return thrown();
    }

    /// Takes the call back if it has not begun: its result is TaskCancelled, and its callbacks have run when
    /// this returns. False if it runs or is done; true again if it was cancelled before. A call that was sent
    /// to a worker which has not even begun its initializer counts as one that runs. Where another node has
    /// the call, this waits for its answer.
    bool cancel() const {
        if (pool().is_copy()) return false;
        auto lock = pool().acquire();
        if (!settled()) {
            const bool withdrawn =
                pool().withdraw_call(lock, job(), call().call(), "procpool: the future was cancelled");
            pool().leave(lock);
            if (!withdrawn) return false;
            pool().wait(
                lock, [this] { return call().ends().call_done(call().call()); }, detail::steady_time::max());
        }
        return was_cancelled();
    }
    /// Whether it was cancelled before it began (or by a std::stop_token, or with its executor).
    bool cancelled() const {
        const auto lock = pool().acquire();
        return settled() && was_cancelled();
    }
    /// Whether it has begun and is not done.
    bool running() const {
        const auto lock = pool().acquire();
        return !settled() && !pool().is_waiting(*job(), call().call());
    }
    /// Whether its result, or an error, is there.
    bool done() const { return call().settled(); }

    /// Calls `function(future)` once the call is done, cancelled ones included; at once if it is. Otherwise
    /// it runs in a thread of the pool or of another caller; functions run in the order in which they were
    /// added, and what they throw goes to PoolOptions::error_handler.
    template <std::invocable<const Future&> F>
    void add_done_callback(F function) const {
        when_done([self = *this, shared = std::make_shared<F>(std::move(function))] { (*shared)(self); });
    }

    /// `co_await future` is its result, as result() gives it. The coroutine goes on in the thread that
    /// completes the call (see add_done_callback), or at once in its own if it is done.
    auto operator co_await() const& { return awaiter{*this}; }
    /// The same for the last handle: the result is moved out.
    auto operator co_await() && { return awaiter{std::move(*this)}; }

    /// Whether both are handles of one call.
    bool operator==(const Future&) const noexcept = default;

private:
    friend Future detail::future_of<T>(AsyncResult<T>);
    friend detail::completions;
    friend std::hash<Future>;

    struct awaiter {
        Future future;
        bool await_ready() const { return future.done(); }
        bool await_suspend(std::coroutine_handle<> waiting) const {
            return future.when_done_later([waiting] { waiting.resume(); });
        }
        T await_resume() { return std::move(future).result(); }
    };

    explicit Future(AsyncResult<T> call) : call_(std::make_shared<AsyncResult<T>>(std::move(call))) {}

    auto& call() const noexcept { return call_->call_; }
    auto& pool() const noexcept { return *call().pool(); }
    auto& job() const noexcept { return call().job(); }
    bool settled() const noexcept { return call().ends().call_settled(call().call()); }

    template <class Rep, class Period>
    void wait_or_throw(std::chrono::duration<Rep, Period> timeout) const {
        if (!wait(timeout)) throw TimeoutError("procpool: no result in the time given");
    }
    bool wait_until(detail::steady_time deadline) const {
        pool().refuse_copy();
        if (call().ends().call_seen_done(call().call())) return true;
        auto lock = pool().acquire();
        return pool().wait_or_poll(lock, [this] { return settled(); }, deadline, job().get());
    }

    // The rest: once it is done.

    /// Other than by its task.
    bool was_cancelled() const {
        const std::exception_ptr failure = call().ends().call_failure(call().call());
        if (!failure) return false;
        try {
            std::rethrow_exception(failure);
        } catch (const TaskCancelled&) {
            return true;
        } catch (...) {
            return false;
        }
    }
    std::exception_ptr thrown() const {
        const std::exception_ptr error = call().error();
        if (error && cancelled()) std::rethrow_exception(error);
        return error;
    }
    reference value() const {
        if (const auto error = call().error()) std::rethrow_exception(error);
        if constexpr (!std::is_void_v<T>) return call_->value();
    }
    T take() {
        if constexpr (std::is_copy_constructible_v<T>)
            if (call_.use_count() > 1) return value();
        return call_->take();
    }

    /// Calls it later if the call is not done; else false.
    bool when_done_later(const std::function<void()>& callback) const {
        // As soon as the lock is free the callback may run, and end what holds this handle.
        const auto kept = call().pool();
        const auto lock = kept->acquire();
        return call().ends().add_call_callback(call().call(), callback);
    }
    void when_done(const std::function<void()>& callback) const {
        if (!when_done_later(callback)) pool().run_callback(callback);
    }

    std::shared_ptr<AsyncResult<T>> call_;
};

}  // namespace procpool::inline v0_1

template <class T>
struct std::hash<procpool::Future<T>> {
    std::size_t operator()(const procpool::Future<T>& future) const noexcept {
        return std::hash<decltype(future.call_)>()(future.call_);
    }
};

#endif
